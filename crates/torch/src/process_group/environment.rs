//! What a launcher tells each rank, in PyTorch's variables (`torchrun`, PyTorchJob, a Slurm script).

use std::str::FromStr;

use super::ProcessGroupError;

/// One rank's place in its job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Environment {
    pub rank: usize,
    pub size: usize,
    pub host: String,
    pub port: u16,
    /// The GPU of this rank on its machine, where the launcher says so.
    pub local_rank: Option<usize>,
    /// Whether torchrun's agent serves the store by which all find each other; else rank 0 does.
    pub agent_serves: bool,
    /// Sets the store's keys of this start of the job apart from those of an earlier one that torchrun started again.
    pub prefix: String,
}

impl Environment {
    /// From variables by their names; none when there is no `WORLD_SIZE`.
    pub fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Option<Self>, ProcessGroupError> {
        let Some(size) = variable("WORLD_SIZE") else { return Ok(None) };
        let needed = |name, expected: &str| variable(name).ok_or_else(|| unfit(name, expected, None));
        let size = number("WORLD_SIZE", "the number of ranks, 1 or more", size, |size| *size > 0)?;
        let expected = format!("this rank's number, 0 to {}", size - 1);
        let rank = number("RANK", &expected, needed("RANK", &expected)?, |rank| *rank < size)?;
        let host = needed("MASTER_ADDR", "the name or address of rank 0's machine")?;
        let expected = "a free port of rank 0's machine, 1 to 65535";
        let port = number("MASTER_PORT", expected, needed("MASTER_PORT", expected)?, |port: &u16| *port > 0)?;
        let local_rank = variable("LOCAL_RANK")
            .map(|found| number("LOCAL_RANK", "the number of this rank's GPU on its machine", found, |_| true))
            .transpose()?;
        let agent_serves = variable("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value == "True");
        let attempt = variable("TORCHELASTIC_RESTART_COUNT").unwrap_or_default();
        let prefix = format!("abbe/{attempt}");
        Ok(Some(Environment { rank, size, host, port, local_rank, agent_serves, prefix }))
    }

    /// Whether this rank serves the store.
    pub fn serves(&self) -> bool {
        self.rank == 0 && !self.agent_serves
    }
}

fn number<T: FromStr>(
    variable: &'static str,
    expected: &str,
    found: String,
    fits: impl Fn(&T) -> bool,
) -> Result<T, ProcessGroupError> {
    found.trim().parse().ok().filter(fits).ok_or_else(|| unfit(variable, expected, Some(found)))
}

/// The error of a variable that is not set, or not to `expected`.
pub(super) fn unfit(variable: &'static str, expected: &str, found: Option<String>) -> ProcessGroupError {
    let found = found.map_or("nothing".into(), |found| format!("`{}`", found.escape_debug()));
    ProcessGroupError::Variable { variable, expected: expected.into(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: [(&str, &str); 4] =
        [("WORLD_SIZE", "2"), ("RANK", "0"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "29500")];

    /// What is read when `changes` are made to `SET`.
    fn read(changes: &[(&str, Option<&str>)]) -> Result<Option<Environment>, ProcessGroupError> {
        Environment::read(|name| {
            let set = SET.iter().find(|(set, _)| *set == name).map(|(_, value)| *value);
            let changed = changes.iter().find(|(changed, _)| *changed == name);
            changed.map_or(set, |(_, value)| *value).map(String::from)
        })
    }

    #[test]
    fn a_rank_finds_its_place_and_who_serves() {
        assert_eq!(read(&[("WORLD_SIZE", None)]).unwrap(), None);
        let first = read(&[]).unwrap().unwrap();
        assert_eq!((first.rank, first.size, first.port, first.local_rank), (0, 2, 29500, None));
        assert!(first.serves());
        let agent = [("TORCHELASTIC_USE_AGENT_STORE", Some("True")), ("TORCHELASTIC_RESTART_COUNT", Some("3"))];
        let agent = read(&agent).unwrap().unwrap();
        assert!(!agent.serves() && agent.prefix == "abbe/3");
        let second = read(&[("RANK", Some("1")), ("LOCAL_RANK", Some("1"))]).unwrap().unwrap();
        assert_eq!((second.rank, second.serves(), second.local_rank), (1, false, Some(1)));
    }

    #[test]
    fn a_bad_variable_is_named_with_what_it_should_be() {
        let wrong = [
            ("WORLD_SIZE", Some("0"), "1 or more"),
            ("WORLD_SIZE", Some("two\n"), "found `two\\n`"),
            ("RANK", Some("2"), "0 to 1"),
            ("RANK", None, "found nothing"),
            ("MASTER_ADDR", None, "rank 0's machine"),
            ("MASTER_PORT", Some("65536"), "1 to 65535"),
            ("LOCAL_RANK", Some("-1"), "GPU"),
        ];
        for (variable, value, part) in wrong {
            let message = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(message.starts_with(variable) && message.contains(part), "{message}");
        }
    }
}

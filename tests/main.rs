//! Everything that crosses crates, in one binary: the command line, whole runs, goldens, Python.

mod arrows; // the crates' dependencies are those of the plan
mod average; // phases that begin with averaged weights
mod bad_input; // what a user can get wrong
mod bench; // plans of networks, and how long they take
mod browser; // a headless Chromium
mod check; // pictures looked at before they are used
mod commands; // the commands, used as they are meant
mod degrade; // degraded pictures, as a person looks at them
mod distributed; // ranks that torchrun starts
mod exchange; // checkpoints looked into and converted
mod export; // networks in ONNX Runtime and as TorchScript
mod fetch; // data sets by name
mod loader; // training pictures in memory, mapped and on the device
mod losses; // losses against PyTorch's stored numbers, against the metric, and in a run
mod lpips; // LPIPS in tables, with its weights and without
mod native; // networks as other projects save them
mod numbers; // numbers that are not finite, short precisions, warnings
mod optimizer; // optimisers that go on in PyTorch, and the reverse
mod phases; // what phases say of their steps
mod python; // files to and from PyTorch
mod refused; // trainings that are refused before their first step
mod report; // the page about a run in a browser, the notebook in Python
mod resume; // trainings that were killed
mod selfcheck; // references that hold here
mod short; // short forms of the experiments, and their sequences of losses
mod start; // runs that begin with files
mod steps; // optimisers, clipping, loss scaling and averages against PyTorch's stored numbers
mod support; // scratch folders, pictures, running the program
mod trainer; // its steps against PyTorch's
mod training; // a whole run, and its sequence of losses
mod upscale; // pictures as their owners have them
mod validation; // whole pictures looked at in training, and TensorBoard

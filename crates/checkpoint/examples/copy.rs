//! scratch: rewrite every good fixture
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let v = abbe_checkpoint::read(&a[1]);
    match v {
        Ok(v) => match abbe_checkpoint::write(&a[2], &v) {
            Ok(()) => println!("ok"),
            Err(e) => println!("W {e}"),
        },
        Err(e) => println!("R {e}"),
    }
}

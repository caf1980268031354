//! The pages are embedded from `web-client/dist`. A build without them still works: the folder is only made sure of here,
//! and the server then says how to build the pages.

fn main() {
    let pages = "web-client/dist";
    println!("cargo::rerun-if-changed={pages}");
    if let Err(error) = std::fs::create_dir_all(pages) {
        println!("cargo::warning={pages} can't be made: {error}");
    }
}

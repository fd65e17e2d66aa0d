//! Says what the page is made of, so that a release embeds the newest one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rerun-if-changed=../www/dist");
    } else {
        // Other builds read the page from its directory while they run, but only from one that
        // was there when they were built. Where it can't be made there is no page.
        let _ = std::fs::create_dir_all("../www/dist");
    }
}

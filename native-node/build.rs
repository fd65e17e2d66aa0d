//! Says what the page is made of, so that a release embeds the newest one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Other builds read the page from its directory while they run.
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rerun-if-changed=../www/dist");
    }
}

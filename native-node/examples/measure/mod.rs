//! What several measurements need.
#![allow(clippy::unwrap_used)]
// Each program uses its part.
#![allow(dead_code)]

/// ICE credentials of a listener that is measured.
pub const UFRAG: &str = "relayFrg";
pub const PWD: &str = "abcdefghijklmnopqrstuvwx";

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn verdict(met: bool) -> &'static str {
    match met {
        true => "met",
        false => "MISSED",
    }
}

/// Resident memory of a process, KiB.
pub fn resident_kib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// This process ends with the one that started it, however that ends.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

//! A report for people, one thing a line.

use super::{Carried, Peer, Range, Report};
use crate::transport::Traffic;
use shared::range::SCAN_WIDER_BITS;
use std::fmt::Write;

/// Several lines, with an end of line behind each.
pub fn text(report: &Report) -> String {
    let mut out = format!(
        "wiremin-relay {}, {} for {}\n\n",
        report.version,
        report.state,
        span(report.uptime_s)
    );
    let mut line = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(out, "{name:<9} {value}");
    };
    line("relay", &report.relay);
    line("network", &report.network);
    line("told", &addresses(report));
    line(
        "range",
        &match report.range.bits {
            0 => "all: it keeps everything".to_owned(),
            bits => format!(
                "{}: one part of {}, and headers of {} parts",
                part(report.range),
                1u64 << bits,
                1u64 << bits.min(SCAN_WIDER_BITS)
            ),
        },
    );
    let known = report.known;
    let all = known.new.saturating_add(known.tried);
    line(
        "known",
        &format!(
            "{}: {} proved by a link, {} only heard of",
            count(all as u64, "other relay"),
            known.tried,
            known.new
        ),
    );
    match report.peers.as_slice() {
        [] => line("peers", "none: it is linked to no other relay"),
        peers => {
            line("peers", &count(peers.len() as u64, "relay"));
            peers.iter().for_each(|it| line("", &peer(it)));
        }
    }
    let stored = report.stored;
    line(
        "stored",
        &format!(
            "{} of {} ({} by header only), {} of {}; {}",
            count(stored.objects, "object"),
            stored.objects_max,
            stored.headers,
            bytes(stored.bytes),
            bytes(stored.bytes_max),
            count(stored.records, "record")
        ),
    );
    if stored.effort_floor > 0 {
        let floor = stored.effort_floor;
        line("", &format!("clients are asked for effort {floor}"));
    }
    line("browsers", &carried(&report.webrtc));
    line("native", &carried(&report.quic));
    line(
        "",
        "(browsers over WebRTC, relays and native accounts over QUIC)",
    );
    if !report.counters.is_empty() {
        out.push_str("\ncounted since the start\n");
    }
    for (group, counters) in &report.counters {
        let each = counters.iter();
        let each = each.map(|(name, n)| format!("{} {n}", name.replace('_', " ")));
        let _ = writeln!(out, "{group:<9} {}", each.collect::<Vec<_>>().join(", "));
    }
    out
}

fn addresses(report: &Report) -> String {
    if report.addresses.is_empty() {
        return "no address: others cannot dial it".to_owned();
    }
    let each = report.addresses.iter().map(ToString::to_string);
    format!("{} to others", each.collect::<Vec<_>>().join(", "))
}

fn peer(peer: &Peer) -> String {
    let address = peer.address.map(|address| address.to_string());
    format!(
        "{}  {:<21}  {:<10}  {:<9}  for {}",
        peer.relay,
        address.as_deref().unwrap_or("no address"),
        if peer.dialled {
            "dialled"
        } else {
            "dialled us"
        },
        part(peer.range),
        span(peer.linked_s)
    )
}

/// `all`, or the first bits of its addresses, in hexadecimal, and how many these are.
fn part(range: Range) -> String {
    match range.bits {
        0 => "all".to_owned(),
        bits => {
            let digits = usize::from(bits.min(32).div_ceil(4));
            let hex = format!("{:08x}", range.prefix);
            format!("{}/{bits}", hex.get(..digits).unwrap_or(&hex))
        }
    }
}

fn carried(carried: &Carried) -> String {
    let of = |traffic: &Traffic| {
        format!(
            "in {} {}, out {} {}",
            traffic.frames_in,
            bytes(traffic.bytes_in),
            traffic.frames_out,
            bytes(traffic.bytes_out)
        )
    };
    format!(
        "{}; frames {}; in the last minute {}",
        count(carried.links as u64, "link"),
        of(&carried.since_start),
        of(&carried.last_minute)
    )
}

fn count(n: u64, of: &str) -> String {
    match n {
        1 => format!("1 {of}"),
        n => format!("{n} {of}s"),
    }
}

fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn bytes(n: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) if n.is_multiple_of(unit) => format!("{} {name}", n / unit),
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / unit as f64),
        None => format!("{n} B"),
    }
}

//! Everything a relay counts, each refusal under its own name. Numbers only grow, and say nothing
//! about anybody.

use crate::wire::Refused;

/// Since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub links_opened: u64,
    pub links_welcomed: u64,
    pub links_over_limit: u64,
    pub links_idle: u64,
    pub links_wrong_version: u64,
    pub links_wrong_network: u64,
    pub links_without_hello: u64,
    pub links_closed_malformed: u64,
    pub frames: u64,
    pub frames_malformed: u64,
    pub frames_unknown: u64,
    pub frames_too_long: u64,
    pub puts: u64,
    pub puts_duplicate: u64,
    pub stored: u64,
    pub scans: u64,
    pub gets: u64,
    pub finds: u64,
    pub objects_sent: u64,
    pub pushed: u64,
    pub lagged: u64,
    pub expired: u64,
    pub evicted: u64,
    pub replaced: u64,
    pub rows_damaged: u64,
    pub saves_failed: u64,
    pub reads_failed: u64,
    pub peers_joined: u64,
    pub peers_false: u64,
    pub peers_over_limit: u64,
    pub peers_unneeded: u64,
    pub descriptors_bad: u64,
    pub relays_found: u64,
    pub relays_dialled: u64,
    pub relays_felt: u64,
    pub relays_named: u64,
    pub pushed_to_peers: u64,
    pub headers_told: u64,
    pub headers_bad: u64,
    pub wanted: u64,
    pub wanted_in_vain: u64,
    pub pushes: u64,
    pub pushes_duplicate: u64,
    pub pushes_taken: u64,
    pub pushes_unfit: u64,
    pub pushes_bad: u64,
    pub pushes_elsewhere: u64,
    pub headers_kept: u64,
    pub range_changes: u64,
    pub left_range: u64,
    pub handed_over: u64,
    pub errands: u64,
    pub errands_in_vain: u64,
    pub errands_late: u64,
    pub offers: u64,
    pub offers_answered: u64,
    pub offers_in_vain: u64,
    pub opens: u64,
    pub opens_refused: u64,
    pub borrowed: u64,
    pub borrowed_in_vain: u64,
    pub reconciled: u64,
    pub missed_here: u64,
    pub missed_there: u64,
    pub refused_unknown_request: u64,
    pub refused_malformed: u64,
    pub refused_wrong_network: u64,
    pub refused_expired: u64,
    pub refused_too_little_work: u64,
    pub refused_body_mismatch: u64,
    pub refused_over_quota: u64,
    pub refused_store_full: u64,
    pub refused_old_record: u64,
    pub refused_bad_record: u64,
    pub refused_too_many_requests: u64,
    pub refused_store_failed: u64,
    pub refused_elsewhere: u64,
    pub refused_no_way: u64,
}

impl Counters {
    pub(super) fn count(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::UnknownRequest => &mut self.refused_unknown_request,
            Refused::Malformed => &mut self.refused_malformed,
            Refused::WrongNetwork => &mut self.refused_wrong_network,
            Refused::Expired => &mut self.refused_expired,
            Refused::TooLittleWork => &mut self.refused_too_little_work,
            Refused::BodyMismatch => &mut self.refused_body_mismatch,
            Refused::OverQuota => &mut self.refused_over_quota,
            Refused::StoreFull => &mut self.refused_store_full,
            Refused::OldRecord => &mut self.refused_old_record,
            Refused::BadRecord => &mut self.refused_bad_record,
            Refused::TooManyRequests => &mut self.refused_too_many_requests,
            Refused::StoreFailed => &mut self.refused_store_failed,
            Refused::Elsewhere => &mut self.refused_elsewhere,
            Refused::NoWay => &mut self.refused_no_way,
        };
        *counter += 1;
    }

    /// Every counter with its name, for logs and `/metrics`.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        macro_rules! list {
            ($($name:ident)*) => { [$((stringify!($name), self.$name)),*] };
        }
        list![
            links_opened links_welcomed links_over_limit links_idle links_wrong_version
            links_wrong_network links_without_hello links_closed_malformed frames frames_malformed
            frames_unknown frames_too_long puts puts_duplicate stored scans gets finds objects_sent
            pushed lagged expired evicted replaced rows_damaged saves_failed reads_failed
            peers_joined peers_false peers_over_limit
            peers_unneeded descriptors_bad relays_found relays_dialled relays_felt
            relays_named pushed_to_peers headers_told headers_bad wanted wanted_in_vain pushes
            pushes_duplicate pushes_taken
            pushes_unfit pushes_bad pushes_elsewhere headers_kept range_changes left_range
            handed_over errands errands_in_vain errands_late offers offers_answered offers_in_vain
            opens opens_refused borrowed borrowed_in_vain
            reconciled missed_here missed_there
            refused_unknown_request refused_malformed refused_wrong_network refused_expired
            refused_too_little_work refused_body_mismatch refused_over_quota refused_store_full
            refused_old_record refused_bad_record refused_too_many_requests refused_store_failed
            refused_elsewhere refused_no_way
        ]
        .into_iter()
    }
}

//! Who sits where in the ring, and which relays die. All are numbers, from 0.

pub const NAMES: [&str; 16] = [
    "Anna", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jan", "Kim", "Leo", "Mia",
    "Nils", "Olga", "Paul",
];

/// The relay that an account chooses: another one than its neighbours', if there are three.
pub fn relay_of(at: usize, accounts: usize, relays: usize) -> usize {
    let chosen = at % relays;
    // The last one sits beside the first one, too.
    let closes = at + 1 == accounts && at > 1 && chosen == 0;
    if closes && relays > 2 { 1 } else { chosen }
}

/// Pairs of neighbours: who invites, who is invited.
pub fn pairs(accounts: usize) -> Vec<(usize, usize)> {
    let pairs = if accounts > 2 { accounts } else { accounts - 1 };
    (0..pairs).map(|at| (at, (at + 1) % accounts)).collect()
}

/// Whom to kill: a third, from this relay on, and of nobody all the relays that they hold: who
/// loses all at once learns of no other.
pub fn victims(first: usize, relays: usize, held: &[Vec<usize>]) -> Vec<usize> {
    let count = match relays {
        1 => 0,
        _ => (relays / 3).max(1),
    };
    let mut victims = Vec::new();
    for victim in (0..relays).map(|n| (first + n) % relays) {
        let dies = |it: &usize| *it == victim || victims.contains(it);
        let last = |of: &Vec<usize>| !of.is_empty() && of.iter().all(dies);
        if victims.len() < count && !held.iter().any(last) {
            victims.push(victim);
        }
    }
    victims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_choose_different_relays_where_there_are_three() {
        for relays in 1..=16 {
            for accounts in 2..=16 {
                let of = |at| relay_of(at, accounts, relays);
                let differ = |(one, other): &(usize, usize)| of(*one) != of(*other);
                let same = pairs(accounts).iter().filter(|it| !differ(it)).count();
                let expected = match relays {
                    1 => pairs(accounts).len(),
                    // A ring of an odd number has no two colours.
                    2 => accounts % 2 * usize::from(accounts > 2),
                    _ => 0,
                };
                assert_eq!(same, expected, "{relays} {accounts}");
            }
        }
    }

    #[test]
    fn a_third_of_the_relays_dies_and_at_least_one_stays() {
        let victims = |first, relays| super::victims(first, relays, &[vec![0, 1, 2, 9]]);
        assert!(victims(0, 1).is_empty());
        assert_eq!(victims(1, 2), [1]);
        assert_eq!(victims(2, 3), [2]);
        assert_eq!(victims(5, 6), [5, 0]);
        assert_eq!(victims(0, 16).len(), 5);
        let held = [vec![2, 1], vec![4]];
        assert_eq!(super::victims(1, 9, &held), [1, 3, 5]);
    }
}

//! The 4096 words a seed is written down in, 12 bits a word. Invariant: the list is sorted, no word
//! is a prefix of another, and it never changes (its hash is tested). How it was made:
//! `words/README.md`. PROTOCOL.md section 1.

use core::cmp::Ordering;

/// How many words there are: 12 bits' worth.
pub const COUNT: u16 = 4096;

/// The longest word has this many letters, the shortest three.
pub const LETTERS_MAX: usize = 8;

/// The whole list, one word a line, each line ended by a line feed.
pub static WORDS: &str = include_str!("../words/english.txt");

/// Where each word starts in `WORDS`, and where a further one would. Worked out by the compiler.
static STARTS: [u16; COUNT as usize + 1] = starts(WORDS_BYTES);

const WORDS_BYTES: &[u8] = include_bytes!("../words/english.txt");

const fn starts(text: &[u8]) -> [u16; COUNT as usize + 1] {
    assert!(
        text.len() <= u16::MAX as usize,
        "the list outgrew its 16-bit offsets"
    );
    let mut starts = [0; COUNT as usize + 1];
    let (mut at, mut line) = (0, 0);
    while at < text.len() {
        if text[at] == b'\n' {
            line += 1;
            starts[line] = at as u16 + 1;
        }
        at += 1;
    }
    assert!(line == COUNT as usize, "the list must have 4096 lines");
    starts
}

/// The word of a 12-bit number. Higher bits are ignored.
pub fn word(index: u16) -> &'static str {
    let index = usize::from(index % COUNT);
    let (start, end) = (STARTS[index], STARTS[index + 1] - 1);
    &WORDS[usize::from(start)..usize::from(end)]
}

/// The number of a word, in whatever case it was typed. `None` when it is not on the list, which
/// includes words with spaces around them and those abbreviated.
pub fn index(word: &str) -> Option<u16> {
    let found = first(|listed| compare(listed, word, usize::MAX).is_lt());
    (found < COUNT && self::word(found).eq_ignore_ascii_case(word)).then_some(found)
}

/// The words that begin with `prefix` (in any case), in order, `limit` of them at most. All words
/// begin with the empty prefix; six letters leave one word at most.
pub fn complete(prefix: &str, limit: usize) -> impl Iterator<Item = &'static str> + use<> {
    let start = first(|listed| compare(listed, prefix, prefix.len()).is_lt());
    let end = first(|listed| compare(listed, prefix, prefix.len()).is_le());
    (start..end).take(limit).map(word)
}

/// Compares the first `letters` of a listed word with what was typed, in lower case.
fn compare(listed: &str, typed: &str, letters: usize) -> Ordering {
    let typed = typed.bytes().map(|byte| byte.to_ascii_lowercase());
    listed.bytes().take(letters).cmp(typed)
}

/// The first number whose word is not `before`; `COUNT` when all are.
fn first(before: impl Fn(&str) -> bool) -> u16 {
    let (mut low, mut high) = (0, COUNT);
    while low < high {
        let middle = low.midpoint(high);
        if before(word(middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
    use sha2::{Digest, Sha256};

    /// Never to be edited: seeds are written down in these words.
    const SHA256: &str = "5ce5a0830a9f9fdd6636092acea3ad0b19393cd14c85c506fea0478998f6149f";

    fn all() -> Vec<&'static str> {
        (0..COUNT).map(word).collect()
    }

    #[test]
    fn the_list_has_not_changed() {
        let hash: String = Sha256::digest(WORDS)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, SHA256);
    }

    #[test]
    fn offsets_agree_with_the_lines() {
        let lines: Vec<&str> = WORDS.lines().collect();
        assert_eq!(lines.len(), usize::from(COUNT));
        assert_eq!(all(), lines);
        assert_eq!(word(0), "abacus");
        assert_eq!(word(COUNT - 1), "zucchini");
    }

    #[test]
    fn words_are_sorted_short_and_lower_case() {
        assert!(all().is_sorted_by(|a, b| a < b));
        for word in all() {
            assert!((3..=LETTERS_MAX).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
    }

    #[test]
    fn no_word_begins_another_and_six_letters_tell_them_apart() {
        // Sorted: were a word a prefix of any other, it would be one of its successor.
        for pair in all().windows(2) {
            assert!(!pair[1].starts_with(pair[0]), "{pair:?}");
        }
        let heads: BTreeSet<&str> = all()
            .iter()
            .map(|word| word.get(..6).unwrap_or(word))
            .collect();
        assert_eq!(heads.len(), usize::from(COUNT));
    }

    #[test]
    fn one_slip_of_the_pen_never_makes_another_word() {
        let known: BTreeSet<Vec<u8>> = all().iter().map(|word| word.as_bytes().to_vec()).collect();
        for word in &known {
            for at in 0..=word.len() {
                let mut slips = Vec::new();
                for letter in b'a'..=b'z' {
                    slips.push([&word[..at], &[letter], &word[at..]].concat());
                    if at < word.len() {
                        slips.push([&word[..at], &[letter], &word[at + 1..]].concat());
                    }
                }
                if at < word.len() {
                    slips.push([&word[..at], &word[at + 1..]].concat());
                }
                if at + 1 < word.len() {
                    let mut swapped = word.clone();
                    swapped.swap(at, at + 1);
                    slips.push(swapped);
                }
                for slip in slips {
                    let name = String::from_utf8_lossy(word);
                    assert!(
                        slip == *word || !known.contains(&slip),
                        "one slip in {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_and_words_round_trip_in_any_case() {
        for number in 0..COUNT {
            let word = word(number);
            assert_eq!(index(word), Some(number));
            assert_eq!(index(&word.to_ascii_uppercase()), Some(number));
        }
        assert_eq!(word(COUNT + 7), word(7));
        assert_eq!(word(u16::MAX), word(COUNT - 1));
    }

    #[test]
    fn completion_agrees_with_looking_at_every_word() {
        let mut prefixes: BTreeSet<&str> = BTreeSet::from(["", "q", "zz", "zucchinis", "aaa"]);
        for word in all() {
            prefixes.extend((1..=word.len()).map(|end| &word[..end]));
        }
        for prefix in prefixes {
            let want: Vec<_> = all()
                .into_iter()
                .filter(|word| word.starts_with(prefix))
                .collect();
            let got: Vec<_> = complete(prefix, usize::MAX).collect();
            assert_eq!(got, want, "{prefix}");
            let shouted = prefix.to_ascii_uppercase();
            assert!(
                complete(&shouted, 3).eq(want.into_iter().take(3)),
                "{prefix}"
            );
        }
        assert_eq!(complete("a", 0).count(), 0);
        assert_eq!(complete("", usize::MAX).count(), usize::from(COUNT));
    }

    #[test]
    fn whatever_is_typed_is_answered() {
        let long = "a".repeat(100_000);
        for typed in [
            " abandon",
            "abandon ",
            "abandon\n",
            "abandon\nability",
            "abando",
            "\0",
            "\u{0}abandon",
            "é",
            "аbandon",
            "abandoñ",
            "ſoap",
            "İ",
            "🦀",
            "-",
            "zzzzzzzzz",
            "{",
            &long,
        ] {
            assert_eq!(index(typed), None, "{typed:?}");
            let listed = complete(typed, usize::MAX).all(|word| word.starts_with(typed));
            assert!(listed, "{typed:?}");
        }
        assert_eq!(index(""), None);
        assert_eq!(complete("é", 5).count() + complete("аb", 5).count(), 0);
        assert_eq!(complete(&long, 5).count(), 0);
        assert_eq!(complete("abandon\n", 5).count(), 0);
    }
}

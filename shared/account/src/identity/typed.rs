//! Words as people type and paste them, read as a seed.
//!
//! Invariant: how words are set apart and numbered never matters (spaces, lines, commas, "1."
//! before each, upper case, nothing at all between them), and every word that is not of the list is
//! told with its place.

use super::seed::{Seed, WORDS};
use crate::words;
use alloc::{string::String, vec::Vec};
use zeroize::{Zeroize, Zeroizing};

/// More than that of a pasted text is not looked at, in characters.
const TEXT_MAX: usize = 4096;
/// More words than that are not kept. Their number is not told either: it is "too many" long
/// before.
const TOKENS_MAX: usize = 64;
/// What is longer than that without a gap is cut, in bytes; 18 words written together fit.
const TOKEN_MAX: usize = 256;
/// A word longer than that is shown cut, in characters.
const SHOWN_MAX: usize = 24;
/// Suggestions for one unknown word.
const NEAR_MAX: usize = 4;
/// No word of the list is this far from a shorter or longer one.
const DISTANCE_MAX: usize = 2;

impl Seed {
    /// Its 18 words.
    pub fn words(&self) -> Vec<&'static str> {
        let mut indices = self.indices();
        let words = indices.iter().map(|&index| words::word(index)).collect();
        indices.zeroize();
        words
    }
}

/// What a typed text holds.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Words found, known or not; at most 64 are counted.
    pub count: usize,
    /// Those that are not of the list.
    pub unknown: Vec<Unknown>,
    seed: Option<Seed>,
}

/// A word that is not of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its place, from 0.
    pub at: usize,
    /// As typed, in lower case, cut at 24 characters.
    pub word: String,
    /// Words of the list one or two mistakes away, nearest first, at most 4; none behind the 18th.
    pub near: Vec<&'static str>,
}

/// Why a typed text is no seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedError {
    /// That many words, not 18.
    Count(usize),
    /// These are not of the list.
    Unknown(Vec<Unknown>),
}

impl Typed {
    /// The seed; all 18 words are of the list. Its checksum may still fail, see [`Seed::checksum`].
    pub fn seed(&self) -> Result<&Seed, TypedError> {
        match &self.seed {
            Some(seed) => Ok(seed),
            None if self.unknown.is_empty() => Err(TypedError::Count(self.count)),
            None => Err(TypedError::Unknown(self.unknown.clone())),
        }
    }
}

/// Reads a text as words.
pub fn read_words(text: &str) -> Typed {
    let mut tokens = tokens(text);
    if tokens.len() < WORDS {
        tokens = set_apart(tokens);
    }
    let indices: Zeroizing<Vec<Option<u16>>> =
        Zeroizing::new(tokens.iter().map(|token| words::index(token)).collect());
    let unknown = tokens
        .iter()
        .zip(indices.iter())
        .enumerate()
        .filter(|(_, (_, index))| index.is_none())
        .map(|(at, (token, _))| Unknown {
            at,
            word: token.chars().take(SHOWN_MAX).collect(),
            near: if at < WORDS { near(token) } else { Vec::new() },
        })
        .collect();
    Typed {
        count: tokens.len(),
        unknown,
        seed: seed_of(&indices),
    }
}

fn seed_of(indices: &[Option<u16>]) -> Option<Seed> {
    let mut all = Zeroizing::new([0u16; WORDS]);
    if indices.len() != WORDS {
        return None;
    }
    for (to, from) in all.iter_mut().zip(indices) {
        *to = (*from)?;
    }
    Some(Seed::from_indices(&all))
}

/// Runs of letters, in lower case; everything else sets them apart.
fn tokens(text: &str) -> Vec<Zeroizing<String>> {
    let mut found: Vec<Zeroizing<String>> = Vec::new();
    let mut token = Zeroizing::new(String::with_capacity(TOKEN_MAX));
    for letter in text.chars().take(TEXT_MAX).chain([' ']) {
        if letter.is_alphabetic() {
            // A letter has at most three lower-case ones of four bytes; growing would leave a copy
            // behind.
            if token.len() + 12 <= TOKEN_MAX {
                token.extend(letter.to_lowercase());
            }
        } else if !token.is_empty() {
            if found.len() < TOKENS_MAX {
                found.push(token.clone());
            }
            token.zeroize();
        }
    }
    found
}

/// Takes words apart that were written together, if all 18 come out of it. No word of the list
/// begins another, so there is one way to do it.
fn set_apart(tokens: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
    let mut apart: Vec<Zeroizing<String>> = Vec::new();
    for token in &tokens {
        let mut rest = token.as_str();
        while !rest.is_empty() && apart.len() <= WORDS {
            let Some(len) = first_word(rest) else {
                return tokens;
            };
            let (word, behind) = rest.split_at(len);
            apart.push(Zeroizing::new(String::from(word)));
            rest = behind;
        }
    }
    if apart.len() == WORDS { apart } else { tokens }
}

/// Length of the word of the list that the text begins with.
fn first_word(text: &str) -> Option<usize> {
    (1..=text.len().min(8))
        .filter(|&len| text.is_char_boundary(len))
        .find(|&len| words::index(&text[..len]).is_some())
}

/// Words of the list within two mistakes.
fn near(token: &str) -> Vec<&'static str> {
    let letters: Vec<char> = token.chars().collect();
    let mut found: Vec<(usize, &'static str)> = (0..4096u16)
        .map(words::word)
        .filter_map(|word| distance(&letters, word.as_bytes()).map(|far| (far, word)))
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(NEAR_MAX)
        .map(|(_, word)| word)
        .collect()
}

/// Letters changed, missing, too many or swapped with their neighbour, if at most two (Damerau,
/// restricted).
fn distance(typed: &[char], word: &[u8]) -> Option<usize> {
    const WIDTH: usize = 11;
    if typed.len().abs_diff(word.len()) > DISTANCE_MAX || typed.len().max(word.len()) >= WIDTH {
        return None;
    }
    let mut rows = [[0usize; WIDTH]; WIDTH];
    for i in 0..=typed.len() {
        for j in 0..=word.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let same = |i: usize, j: usize| typed[i] == char::from(word[j]);
            let mut least = rows[i - 1][j - 1] + usize::from(!same(i - 1, j - 1));
            least = least.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1) {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    Some(rows[typed.len()][word.len()]).filter(|&far| far <= DISTANCE_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::{format, string::ToString};
    use shared::crypto::Rng;

    fn seed() -> Seed {
        Seed::draw(&mut Rng::new([8; 32]))
    }

    #[test]
    fn any_way_of_writing() {
        let seed = seed();
        let words = seed.words();
        let numbered = |mark: &str| {
            let line = |(at, word): (usize, &&str)| format!("{}{mark}{word}\n", at + 1);
            words.iter().enumerate().map(line).collect::<String>()
        };
        for text in [
            words.join(" "),
            format!("\u{feff}  {}\r\n", words.join("\u{a0}\r\n")),
            words.join(", "),
            words.join("-"),
            words.join(" ").to_uppercase(),
            numbered(". "),
            numbered(")"),
            numbered(""),
            words.concat(),
            format!("{} {}", words[..9].concat(), words[9..].join(" ")),
        ] {
            assert_eq!(read_words(&text).seed(), Ok(&seed), "{text}");
        }
    }

    #[test]
    fn count_is_told() {
        let words = seed().words();
        assert_eq!(read_words("").seed(), Err(TypedError::Count(0)));
        assert_eq!(
            read_words(&words[..17].join(" ")).seed(),
            Err(TypedError::Count(17))
        );
        let more = format!("{} {}", words.join(" "), words[0]);
        assert_eq!(read_words(&more).seed(), Err(TypedError::Count(19)));
    }

    #[test]
    fn unknown_words_are_told_with_suggestions() {
        let mut words: Vec<String> = seed().words().iter().map(|word| word.to_string()).collect();
        let right = words[5].clone();
        words[5].insert(1, 'q');
        words[7] = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz".into();
        let typed = read_words(&words.join(" "));
        assert_eq!(typed.count, 18);
        assert_eq!(typed.unknown.len(), 2);
        assert_eq!(
            (typed.unknown[0].at, &typed.unknown[0].word),
            (5, &words[5])
        );
        assert_eq!(typed.unknown[0].near[0], right);
        assert_eq!((typed.unknown[1].at, typed.unknown[1].word.len()), (7, 24));
        assert!(typed.unknown[1].near.is_empty());
        assert!(matches!(typed.seed(), Err(TypedError::Unknown(list)) if list.len() == 2));
    }

    #[test]
    fn distances() {
        let far =
            |typed: &str, word: &str| distance(&typed.chars().collect::<Vec<_>>(), word.as_bytes());
        assert_eq!(far("apple", "apple"), Some(0));
        assert_eq!(far("aple", "apple"), Some(1));
        assert_eq!(far("applee", "apple"), Some(1));
        assert_eq!(far("appel", "apple"), Some(1));
        assert_eq!(far("bpplx", "apple"), Some(2));
        assert_eq!(far("äpple", "apple"), Some(1));
        assert_eq!(far("bqplx", "apple"), None);
        assert_eq!(far("", "ab"), Some(2));
        assert_eq!(far("averylongword", "apple"), None);
    }

    /// Hostile text: no panic, bounded answer.
    #[test]
    fn any_text_is_taken() {
        let mut rng = Rng::new([6; 32]);
        let alphabet: Vec<char> = "abzZ09 .,-\n\u{0}äßẞİ漢字😀\u{301}\u{200d}\u{feff}"
            .chars()
            .collect();
        for _ in 0..200 {
            let len = rng.below(300);
            let text: String = (0..len)
                .map(|_| alphabet[rng.below(alphabet.len() as u64) as usize])
                .collect();
            let typed = read_words(&text);
            assert!(typed.count <= TOKENS_MAX && typed.unknown.len() <= typed.count);
        }
        assert_eq!(read_words(&"a ".repeat(100_000)).count, TOKENS_MAX);
        assert_eq!(read_words(&"x".repeat(100_000)).count, 1);
    }
}

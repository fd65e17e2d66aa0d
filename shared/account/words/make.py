#!/usr/bin/env python3
"""Makes english.txt, the 4096 words of the mnemonic: deterministic, from pinned inputs.

    make.py INPUTS            write english.txt and print the counts
    make.py INPUTS --check    make it again and compare; exit code 1 when it differs

INPUTS is a directory with the files named in lexicon.py (README.md says how to get them).
Needs Python 3.11 or later, scipy 1.15 (its exact integer solver) and dpkg-deb.
"""
import hashlib
import math
import re
import sys
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy
from scipy.optimize import Bounds, LinearConstraint, milp

sys.dont_write_bytecode = True
from lexicon import Inputs, WordNet  # noqa: E402 (after the line above, so that no cache is left)

HERE = Path(__file__).resolve().parent
COUNT = 4096
SHAPE = re.compile(r"[a-z]{3,8}")

VOWELS = {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}
# Pairs that a telephone, or another accent, turns into one another.
CONFUSED = [pair.split("-") for pair in (
    "P-B T-D K-G F-V S-Z TH-F TH-S TH-DH SH-CH CH-JH SH-ZH M-N N-NG F-S V-B V-DH IH-IY IH-EH "
    "EH-AE AE-AH AA-AH UH-UW UH-AH OW-AA T-K P-T L-R").split()]


def heard(phones):
    """A pronunciation as most accents let it be told apart: no stress, AO as AA but before R,
    weak vowels as one, T between vowels as D, WH as W."""
    weak = [p[:-1] in {"AH", "IH", "EH", "IY", "UH"} and p[-1] == "0" for p in phones]
    bare = [p.rstrip("012") for p in phones]
    out = []
    for at, phone in enumerate(bare):
        if phone == "HH" and bare[at + 1:at + 2] == ["W"]:
            continue
        if phone == "T" and 0 < at < len(bare) - 1 and bare[at - 1] in VOWELS \
                and bare[at + 1] in VOWELS and phones[at + 1][-1] == "0":
            phone = "D"
        last = at == len(bare) - 1
        out.append("@" if weak[at] and not (last and phone == "IY") else
                   "AA" if phone == "AO" and bare[at + 1:at + 2] != ["R"] else phone)
    return tuple(out)


def plain(phones):
    """A pronunciation without its stress."""
    return tuple(phone.rstrip("012") for phone in phones)


def confusable(key):
    """The keys one confused phone away from `key`."""
    for at, phone in enumerate(key):
        for pair in CONFUSED:
            if phone in pair:
                yield key[:at] + (pair[phone == pair[0]],) + key[at + 1:]


def shortened(word):
    """Keys of which two words share at least one when they are one edit apart."""
    return {word} | {word[:at] + word[at + 1:] for at in range(len(word))}


def apart(a, b):
    """Damerau-Levenshtein distance (neighbours swapped count as one)."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def listed(name):
    """The words of a text file beside this one, without its comments."""
    lines = (HERE / name).read_text().splitlines()
    return {word for line in lines for word in line.split("#")[0].split()}


class Candidates:
    """Every word that may be on the list, how common it is, and what it clashes with."""

    def __init__(self, inputs):
        self.bip39 = [word for word in inputs.bip39() if SHAPE.fullmatch(word)]
        self.level = inputs.scowl(["english-words", "american-words"], (10, 20, 35, 40, 50))
        self.everywhere = inputs.scowl(["english-words"], (10, 20, 35, 40, 50, 55, 60))
        self.names = inputs.scowl(["english-upper", "english-proper-names"], (10, 35, 40, 50))
        self.tables = [(table, sum(table.values())) for table in inputs.frequency()]
        self.sounds = inputs.sounds()
        self.eff = inputs.eff()
        self.wordnet = WordNet(inputs)
        self.profanity = inputs.profanity()
        self.excluded = listed("exclude.txt")
        self.included = listed("include.txt")
        self.keys = {}
        self.spoken = defaultdict(set)
        for word in sorted(self.level.keys() | set(self.bip39) | self.included):
            said = self.sounds.get(word, ())
            self.keys[word] = {key(phones) for phones in said for key in (heard, plain)}
            for key in self.keys[word]:
                self.spoken[key].add(word)

    def common(self, word):
        """How common: the mean of log10 of the uses in 10^9 words of books and of speech."""
        parts = [math.log10(table[word] / total * 1e9)
                 for table, total in self.tables if table.get(word)]
        return sum(parts) / len(parts) if parts else 0.0

    def rank(self, word):
        """What the list is filled by: commonness, and what makes a word easy to hand on."""
        score = self.common(word) + 0.25 * (word in self.eff)
        score += 0.25 * self.wordnet.is_concrete(word)
        score -= 0.6 * (word.capitalize() in self.names)
        score -= 0.3 * (word not in self.everywhere)
        score -= 1.0 * (word.endswith("ly") and self.wordnet.only(word, "adv"))
        return score - 0.2 * (len(word) == 3)

    def fits(self, word):
        """Whether a word outside BIP-39 may be on the list at all."""
        if word in self.included:
            return True
        return (SHAPE.fullmatch(word) is not None
                and word not in self.excluded and word not in self.profanity
                and self.wordnet.has(word) and not self.wordnet.is_name(word)
                and not self.wordnet.is_taboo(word)
                and not self.wordnet.bases(word)
                and bool(self.keys[word])
                and not any(self.spoken[key] - {word} for key in self.keys[word]))


def too_near(a, b):
    """Rules 1 and 2: neither a prefix of the other, nor one edit away."""
    return a.startswith(b) or b.startswith(a) or apart(a, b) < 2


def clashes(words, keys):
    """The pairs of `words` that cannot both be listed."""
    boxes = defaultdict(set)
    for word in words:
        for at in range(3, len(word) + 1):
            boxes["^" + word[:at]].add(word)
        for short in shortened(word):
            boxes["-" + short].add(word)
        for key in keys[word]:
            boxes[key].add(word)
    pairs = {pair for box in boxes.values() for pair in combinations(sorted(box), 2)}
    return sorted((a, b) for a, b in pairs if too_near(a, b) or keys[a] & keys[b])


def most(words, pairs, rank):
    """The largest set of `words` without a clash; among those, the one of the highest rank.
    Exact: an integer program for each connected part of the graph of clashes."""
    near = defaultdict(set)
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    kept, seen = {word for word in words if word not in near}, set()
    for start in sorted(near):
        if start in seen:
            continue
        part, todo = set(), [start]
        while todo:
            word = todo.pop()
            if word not in part:
                part.add(word)
                todo += near[word]
        seen |= part
        kept |= most_of_part(sorted(part), near, rank)
    return kept


def most_of_part(part, near, rank):
    place = {word: at for at, word in enumerate(part)}
    edges = [(place[a], place[b]) for a in part for b in near[a] if a < b]
    matrix = numpy.zeros((len(edges), len(part)))
    for row, edge in enumerate(edges):
        matrix[row, list(edge)] = 1
    # One word more always outweighs every difference of rank (which is below 10).
    worth = numpy.array([10000 * len(part) + round(1000 * rank(word)) for word in part])
    found = milp(-worth, integrality=numpy.ones(len(part)), bounds=Bounds(0, 1),
                 constraints=LinearConstraint(matrix, ub=1), options={"mip_rel_gap": 0})
    if not found.success:
        sys.exit(f"no optimum for the part of {part[0]}: {found.message}")
    return {word for word, taken in zip(part, found.x) if taken > 0.5}


class Chosen:
    """The list as it grows. A word is let in only when it clashes with none that is there."""

    def __init__(self, keys):
        self.keys, self.words = keys, set()
        self.heads, self.shorts = defaultdict(set), defaultdict(set)
        self.heard = {}

    def add(self, word):
        self.words.add(word)
        for at in range(1, len(word) + 1):
            self.heads[word[:at]].add(word)
        for short in shortened(word):
            self.shorts[short].add(word)
        for key in self.keys[word]:
            self.heard[key] = word

    def refuses(self, word):
        if self.heads[word] or any(word[:at] in self.words for at in range(3, len(word))):
            return True
        near = set().union(*(self.shorts.get(short, set()) for short in shortened(word)))
        if any(apart(word, other) < 2 for other in near):
            return True
        return any(key in self.heard for key in self.keys[word])

    def mishears(self, word):
        """Whether one phone that is easily misheard turns it into a listed word."""
        return any(other in self.heard for key in self.keys[word] for other in confusable(key))

    def crowds(self, word):
        """Whether a listed word begins with the same six letters."""
        return len(word) >= 6 and bool(self.heads.get(word[:6]))


def make(inputs):
    pool = Candidates(inputs)
    old = [word for word in pool.bip39 if word not in pool.excluded]
    pairs = clashes(old, pool.keys)
    chosen = Chosen(pool.keys)
    for word in sorted(most(old, pairs, pool.rank)):
        chosen.add(word)
    kept = len(chosen.words)
    new = sorted((word for word in pool.keys if pool.fits(word)),
                 key=lambda word: (-pool.rank(word), word))
    added = []
    for word in new:
        if len(chosen.words) == COUNT:
            break
        if not (chosen.refuses(word) or chosen.mishears(word) or chosen.crowds(word)):
            chosen.add(word)
            added.append(word)
    if len(chosen.words) < COUNT:
        sys.exit(f"only {len(chosen.words)} words ({kept} of BIP-39) satisfy the rules")
    print(f"BIP-39 words: {kept} of {len(pool.bip39)}; last word let in: {added[-1]}")
    return sorted(chosen.words)


def main():
    words = make(Inputs(sys.argv[1]))
    text = "".join(word + "\n" for word in words).encode()
    near = sum(apart(a, b) < 2 for a, b in combinations(words, 2) if abs(len(a) - len(b)) < 2)
    print(f"{len(words)} words, {near} pairs one edit apart, "
          f"SHA-256 {hashlib.sha256(text).hexdigest()}")
    target = HERE / "english.txt"
    if "--check" in sys.argv[2:]:
        sys.exit(0 if target.read_bytes() == text else "english.txt differs")
    target.write_bytes(text)


if __name__ == "__main__":
    main()

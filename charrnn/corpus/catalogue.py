"""The classic corpora whose licence is clear: their addresses, sizes and checksums."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusFile:
    """One text of a corpus."""

    url: str
    """Where the text, or the zip file that holds it, is fetched from."""
    name: str
    """Name of the text's file in the corpora folder."""
    size: int
    """Size of the text in bytes."""
    sha256: str
    """SHA-256 of the text, in hex."""
    archive_size: int | None = None
    """Size in bytes of the zip file whose only member is the text; None: the text itself is
    fetched."""
    archive_sha256: str | None = None
    """SHA-256 of that zip file, in hex."""

    @property
    def download_size(self) -> int:
        """Bytes that are fetched."""
        return self.size if self.archive_size is None else self.archive_size


@dataclass(frozen=True)
class CatalogueEntry:
    """One corpus of the catalogue."""

    name: str
    """What commands call the corpus."""
    about: str
    """What the corpus is, in a few words."""
    licence: str
    """Name of the corpus's licence."""
    split: str
    """How the literature divides the corpus: train / validation / test."""
    files: tuple[CorpusFile, ...]
    """The texts; several of them lie in a folder of the corpus's name."""
    aliases: tuple[str, ...] = ()
    """Other names that commands take for the corpus."""

    @property
    def size(self) -> int:
        """Size of all texts in bytes."""
        return sum(file.size for file in self.files)

    @property
    def download_size(self) -> int:
        """Bytes that are fetched for all texts."""
        return sum(file.download_size for file in self.files)


_GITHUB = "https://raw.githubusercontent.com"
_STORIES = (
    "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/"
    "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"
)

CATALOGUE = (
    CatalogueEntry(
        name="shakespeare",
        about="Tiny Shakespeare: 40,000 lines of the plays",
        licence="public domain",
        split="90 / 10",
        files=(
            CorpusFile(
                url=f"{_GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/"
                "data/tinyshakespeare/input.txt",
                name="shakespeare.txt",
                size=1_115_394,
                sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ),
        ),
        aliases=("tinyshakespeare",),
    ),
    CatalogueEntry(
        name="names",
        about="32,033 first names, for --records line",
        licence="MIT",
        split="shuffled lines",
        files=(
            CorpusFile(
                url=f"{_GITHUB}/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/"
                "names.txt",
                name="names.txt",
                size=228_145,
                sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            ),
        ),
    ),
    CatalogueEntry(
        name="stacks-algebra",
        about="the algebra chapter of the Stacks project, in LaTeX",
        licence="GFDL 1.2",
        split="none",
        files=(
            CorpusFile(
                url=f"{_GITHUB}/stacks/stacks-project/4ac4815d5a00dc2eacab7824cf4e4baafe2773ac/"
                "algebra.tex",
                name="stacks-algebra.tex",
                size=1_771_230,
                sha256="fa8bb92e58a4f78a2bd01b3b6a4a87de0a0d279f5dd90641b574dd5fbfffa4f3",
            ),
        ),
    ),
    CatalogueEntry(
        name="text8",
        about="Wikipedia of 2006, only a to z and spaces",
        licence="CC BY-SA / GFDL",
        split="90M / 5M / 5M",
        files=(
            CorpusFile(
                url="https://mattmahoney.net/dc/text8.zip",
                name="text8.txt",
                size=100_000_000,
                sha256="6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
                archive_size=31_344_016,
                archive_sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            ),
        ),
    ),
    CatalogueEntry(
        name="enwik8",
        about="the first 100 MB of Wikipedia of 2006, as XML; usually --bytes",
        licence="CC BY-SA / GFDL",
        split="90M / 5M / 5M",
        files=(
            CorpusFile(
                url="https://mattmahoney.net/dc/enwik8.zip",
                name="enwik8.txt",
                size=100_000_000,
                sha256="2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8",
                archive_size=36_445_475,
                archive_sha256="547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
            ),
        ),
    ),
    CatalogueEntry(
        name="tinystories",
        about="short stories for small children by GPT-4, version 2",
        licence="CDLA-Sharing-1.0",
        split="the last file",
        files=(
            CorpusFile(
                url=f"{_STORIES}/TinyStoriesV2-GPT4-train.txt",
                name="train.txt",
                size=2_227_753_162,
                sha256="6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
            ),
            CorpusFile(
                url=f"{_STORIES}/TinyStoriesV2-GPT4-valid.txt",
                name="valid.txt",
                size=22_502_601,
                sha256="6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
            ),
        ),
        aliases=("tinystories-v2",),
    ),
    CatalogueEntry(
        name="tinystories-v1",
        about="the same by GPT-3.5 and GPT-4, version 1",
        licence="CDLA-Sharing-1.0",
        split="the last file",
        files=(
            CorpusFile(
                url=f"{_STORIES}/TinyStories-train.txt",
                name="train.txt",
                size=1_924_281_556,
                sha256="c5cf5e22ff13614e830afbe61a99fbcbe8bcb7dd72252b989fa1117a368d401f",
            ),
            CorpusFile(
                url=f"{_STORIES}/TinyStories-valid.txt",
                name="valid.txt",
                size=19_447_282,
                sha256="94e431816c4cce81ff71e4408ff8d3bda9a42e8d2663986697c3954288cb38b4",
            ),
        ),
    ),
)


def find_entry(name: str) -> CatalogueEntry | None:
    """The corpus that is called `name`, or has it as an alias; None if there is none."""
    for entry in CATALOGUE:
        if name in (entry.name, *entry.aliases):
            return entry
    return None

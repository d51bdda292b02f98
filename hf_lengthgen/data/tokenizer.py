"""A character tokenizer that needs no code of ours to load: AutoTokenizer reads what it saves."""

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ..tasks import Task
from .encode import BOS, EOS, PAD, SPECIAL_TOKENS, UNK


def build_tokenizer(task_or_vocabulary: Task | str) -> PreTrainedTokenizerFast:
    """One token per character, after <pad>=0, <bos>=1, <eos>=2, <unk>=3.

    Encoding puts <bos> in front and no <eos> behind, as a prompt needs it; padding is on the left.

    Args:
        task_or_vocabulary: a task, or the characters themselves, in the order of their ids.

    Raises:
        ValueError: no characters, a repeated one, one beyond Latin-1, or the NUL character (it marks "no
            character").
    """
    vocabulary = task_or_vocabulary.vocabulary if isinstance(task_or_vocabulary, Task) else task_or_vocabulary
    if not isinstance(vocabulary, str) or not vocabulary:
        raise ValueError(f"build_tokenizer takes a task or a string of characters, got {vocabulary!r}")
    repeated = sorted({character for character in vocabulary if vocabulary.count(character) > 1})
    if repeated:
        raise ValueError(f"the vocabulary {vocabulary!r} repeats {''.join(repeated)!r}")
    if max(vocabulary) > "\u00ff" or "\0" in vocabulary:
        raise ValueError(f"the vocabulary may hold Latin-1 characters other than NUL, got {vocabulary!r}")

    ids = {token: number for number, token in enumerate((*SPECIAL_TOKENS, *vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, ids[BOS])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def character_table(tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """Latin-1 code -> token id, int64, (256,); codes outside the vocabulary map to the id of <unk>."""
    table = np.full(256, tokenizer.unk_token_id, dtype=np.int64)
    for token, number in tokenizer.get_vocab().items():
        if len(token) == 1 and ord(token) < 256:
            table[ord(token)] = number
    return table


def scale_rule_ids(task: Task, tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """The task's scale rule in token ids: one [start, end] per hint; the beginning of the input is <bos>.

    Raises:
        ValueError: the tokenizer lacks one of the characters.
    """
    rule = []
    for start, end in task.scale_rule:
        check_characters((start or "") + end, tokenizer)
        first = tokenizer.bos_token_id if start is None else tokenizer.convert_tokens_to_ids(start)
        rule.append([first, tokenizer.convert_tokens_to_ids(end)])
    return rule


def check_characters(text: str, tokenizer: PreTrainedTokenizerFast) -> None:
    """Raise ValueError if `text` has characters that the tokenizer lacks, with the allowed ones."""
    vocabulary = tokenizer.get_vocab()
    foreign = sorted({character for character in text if character not in vocabulary})
    if foreign:
        allowed = "".join(sorted((t for t in vocabulary if len(t) == 1), key=vocabulary.__getitem__))
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        small = foreign[0].lower()
        hint = f"; did you mean {small!r}?" if small in allowed else ""
        raise ValueError(f"{shown!r} has characters {''.join(foreign)!r}; allowed: {allowed!r}{hint}")

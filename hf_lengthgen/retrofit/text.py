"""A task's prompts and answers through the base's own tokenizer, one token per character."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.encode import encode
from ..tasks.task import Samples

TEMPLATES = ("plain", "chat")
INSTRUCTION = "Answer with the result alone."
HINT = "0123456789:"
_CHECKED = (1, 4, 9)  # lengths whose tokenization is compared with one token per character


class TextCodec:
    """Rows of a task as token ids of a pretrained tokenizer.

    Characters stand side by side where the tokenizer makes one token of each ("plain"), else each behind a space
    ("spaced"); a tokenizer that does neither is refused, since a relation between positions needs digits that have
    positions of their own.

    Args:
        task: the task; tokenizer: the base's.
        prefix: text in front of every prompt; template: 'plain', or 'chat': the tokenizer's chat template with
            `instruction` as the user's message; prompt and answer are then the beginning of the reply.
        hint_text: the Scale Hint as text, in front of every prompt: its digits and a colon, "12:" for n = 12 and
            "3:5:" for two hints. The only form in which a base without additions can be told n [our reading].

    Attributes:
        style: 'plain' or 'spaced'; prefix_ids: token ids in front; table: ASCII code → token id, (256,).

    Raises:
        ValueError: an unknown template, no chat template, no end-of-sequence token, or characters that are merged or
            split.
    """

    def __init__(
        self,
        task: Any,
        tokenizer: Any,
        prefix: str = "",
        template: str = "plain",
        instruction: str = INSTRUCTION,
        hint_text: bool = False,
    ):
        if template not in TEMPLATES:
            raise ValueError(f"template must be one of {', '.join(TEMPLATES)}, not {template!r}.")
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no end-of-sequence token, by which an answer ends.")
        self.task, self.tokenizer = task, tokenizer
        self.eos = tokenizer.eos_token_id
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.eos
        self.prefix_ids = self._prefix(prefix, template, instruction)
        self.hint_text = hint_text
        self.style, self.table = self._characters()

    def _prefix(self, prefix: str, template: str, instruction: str) -> list[int]:
        if template == "chat":
            if not getattr(self.tokenizer, "chat_template", None):
                raise ValueError("template='chat' needs a tokenizer with a chat template; use template='plain'.")
            message = [{"role": "user", "content": instruction}]
            text = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True) + prefix
            return self.tokenizer(text, add_special_tokens=False).input_ids
        return self.tokenizer(prefix).input_ids  # with the special tokens that this tokenizer puts in front

    def _characters(self) -> tuple[str, np.ndarray]:
        rng = np.random.default_rng(0)
        texts = []
        for n in _CHECKED:
            drawn = self.task.sample(n, 4, rng)
            front = self._hint(drawn.scales[0])
            texts += [front + p + a for p, a in zip(drawn.prompt_strings(), drawn.answer_strings(), strict=True)]
        reasons = []
        for style, space in (("plain", ""), ("spaced", " ")):
            characters = [*self.task.vocabulary, *(c for c in HINT if c not in self.task.vocabulary and self.hint_text)]
            ids = {c: self._ids(space + c) for c in characters}
            long = sorted(c for c, tokens in ids.items() if len(tokens) != 1)
            unlike = [t for t in texts if self._ids("".join(space + c for c in t)) != [i for c in t for i in ids[c]]]
            if not long and not unlike and len({i[0] for i in ids.values()}) == len(ids):
                table = np.full(256, self.pad, dtype=np.int64)
                for character, tokens in ids.items():
                    table[ord(character)] = tokens[0]
                return style, table
            reasons.append(
                f"{style}: {'it splits ' + repr(long[0]) if long else 'it merges ' + repr((unlike or texts)[0])}"
            )
        raise ValueError(
            f"this tokenizer does not give every character of {self.task.name!r} a token of its own "
            f"({'; '.join(reasons)})."
        )

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _hint(self, scale: np.ndarray) -> str:
        return "".join(f"{n}:" for n in scale.tolist()) if self.hint_text else ""

    def _front(self, scale: np.ndarray) -> list[int]:
        """Token ids in front of a prompt of this scale (hints,): the prefix, and the hint where it is text."""
        return self.prefix_ids + [int(self.table[ord(c)]) for c in self._hint(scale)]

    def scale_rule(self) -> list[list[int | None]]:
        """The task's scale rule in this tokenizer's ids, for `RetrofitConfig.scale_rule`.

        Raises:
            ValueError: operands begin behind a prefix whose last token does not single out that place, or which holds
                a delimiter of the rule.
        """
        start_id, front = None, self._front(np.ones(self.task.hints, dtype=int))
        if front:
            start_id = front[-1]
            if front.count(start_id) > 1:
                raise ValueError("the last token of the prefix occurs in it twice, so no scale rule can start there.")
        ids = {c: int(self.table[ord(c)]) for pair in self.task.scale_rule for c in pair if c is not None}
        for character, token in ids.items():
            if token in front:
                raise ValueError(
                    f"the prefix holds {character!r}, by which the scale rule of {self.task.name!r} finds its place."
                )
        return [[start_id if s is None else ids[s], ids[e]] for s, e in self.task.scale_rule]

    def rows(self, samples: Samples) -> dict[str, np.ndarray]:
        """Training rows prefix prompt answer <eos>, padded on the right.

        Returns:
            int64 arrays: `input_ids`, `attention_mask`, `labels` (B, L) with the loss on answer and <eos> only;
            `scale_hint` (B, hints).

        Raises:
            ValueError: with `hint_text`, samples of more than one scale: what stands in front has one width.
        """
        arrays = encode(samples, self.table, self.eos, self.eos, self.pad)
        if self.hint_text and (samples.scales != samples.scales[0]).any():
            raise ValueError("hint_text=True makes rows of samples of one scale; give the others in rows of their own.")
        first = self._front(samples.scales[0])
        count, width = len(samples), len(first)
        front = {"input_ids": np.tile(np.array(first, dtype=np.int64), (count, 1)).reshape(count, width)}
        front["attention_mask"] = np.ones((count, width), dtype=np.int64)
        front["labels"] = np.full((count, width), -100, dtype=np.int64)
        # The first column of `encode` is its begin token, in whose place the prefix stands.
        joined = {key: np.concatenate([front[key], arrays[key][:, 1:]], axis=1) for key in front}
        return joined | {"scale_hint": arrays["scale_hint"]}

    def prompts(self, samples: Samples) -> dict[str, np.ndarray]:
        """Rows prefix prompt, padded on the left, for generation: `input_ids`, `attention_mask`, `scale_hint`."""
        rows = [
            self._front(scale) + [int(self.table[c]) for c in row if c]
            for row, scale in zip(samples.prompts, samples.scales, strict=True)
        ]
        width = max(len(row) for row in rows)
        ids = np.array([[self.pad] * (width - len(row)) + row for row in rows], dtype=np.int64)
        mask = np.array([[0] * (width - len(row)) + [1] * len(row) for row in rows], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": mask, "scale_hint": samples.scales.astype(np.int64)}

    def text(self, prompt: str) -> str:
        """A prompt of the task as this tokenizer must see it, without the prefix."""
        return prompt if self.style == "plain" else "".join(f" {c}" for c in prompt)

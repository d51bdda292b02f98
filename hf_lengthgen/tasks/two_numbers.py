"""What addition and multiplication of two numbers share: operands of one length, or of two."""

from dataclasses import dataclass

from .arithmetic import NumberConfig, NumberTask
from .formats import check_choice
from .task import ScaleRule

_WIDTHS = ("equal", "unequal")


@dataclass(frozen=True)
class TwoNumbersConfig(NumberConfig):
    """Options of the tasks on two numbers: those of NumberConfig, and

    Attributes:
        widths: "equal": both operands have n digits, one scale hint; "unequal": n0 and n1 digits, two hints.
    """

    widths: str = "equal"

    def validate(self) -> None:
        super().validate()
        check_choice("widths", self.widths, _WIDTHS)


class TwoNumbersTask(NumberTask):
    """A task whose prompt holds two numbers, by default of n digits each."""

    Config = TwoNumbersConfig
    config: TwoNumbersConfig

    @property
    def scale_rule(self) -> ScaleRule:
        return super().scale_rule[:1] if self.config.widths == "equal" else super().scale_rule

    def check_operands(self, a: str, b: str) -> None:
        """Raise ValueError unless both operands of a prompt are as long and padded as the options say."""
        if self.config.widths == "equal" and len(a) != len(b):
            raise ValueError(
                f"operands have {len(a)} and {len(b)} digits, but widths='equal' needs equal numbers; "
                f"pad with zeros or use widths='unequal'"
            )
        self.check_operand(a)
        self.check_operand(b)

import pytest

import hf_lengthgen.hub as hub


def test_every_name_is_there_and_is_a_function_or_an_error():
    """`verify` and `load` are functions whatever was imported before: no module has such a name."""
    import hf_lengthgen.hub.loading
    import hf_lengthgen.hub.publish
    import hf_lengthgen.hub.verification  # noqa: F401

    assert dir(hub) == sorted(hub.__all__)
    assert all(callable(getattr(hub, name)) for name in hub.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'pull'"):
        hub.pull  # noqa: B018

import dataclasses

import pytest
import yaml

from .grids import file_result, grid, layout


def test_a_cell_is_finished_once_its_result_is_there(tmp_path):
    cell, where = grid().cells[0], layout(tmp_path)
    assert where.result(cell) == tmp_path / "results" / "copy" / "rope" / "seed0.json"
    assert where.finished(cell) is None
    result = file_result(cell, where, 8, 3)
    assert where.finished(cell) == result


def test_a_result_of_other_settings_is_an_error_that_names_the_setting(tmp_path):
    where = layout(tmp_path)
    file_result(grid().cells[0], where, 8)
    changed = grid(tasks=[{"name": "copy", "steps": 21}]).cells[0]
    with pytest.raises(
        ValueError, match="seed0.json was made under other settings: steps was 20 and is 21. Use --redo"
    ):
        where.finished(changed)
    assert where.finished(changed, check=False).steps == 20
    file_result(changed, where, 8, settings={}, settings_digest="")
    with pytest.raises(ValueError, match="not recorded"):
        where.finished(changed)


def test_a_kept_model_has_a_place_for_each_of_its_settings(tmp_path):
    cell, where = grid().cells[0], layout(tmp_path)
    changed = grid(tasks=[{"name": "copy", "steps": 21}]).cells[0]
    result = file_result(cell, where, 8)
    assert where.kept(cell) == tmp_path / "runs" / "copy" / "rope" / f"seed0.{result.settings_digest}"
    assert where.kept(changed) != where.kept(cell)


def test_an_unfinished_run_of_other_settings_is_noticed(tmp_path):
    cell, where = grid().cells[0], layout(tmp_path)
    assert where.started(cell) is None
    where.work(cell).mkdir(parents=True)
    where.work(cell, ".yaml").write_text(yaml.safe_dump(cell.config.to_dict()))
    assert where.started(cell) is None
    other = dataclasses.replace(cell, config=dataclasses.replace(cell.config, learning_rate=0.5))
    assert where.started(other) == "learning_rate was 0.001 and is 0.5"
    where.work(cell, ".yaml").write_text("[1")
    with pytest.raises(ValueError, match="cannot be read"):
        where.started(cell)

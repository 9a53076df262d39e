"""Learned access lists: patterns from missed keys, keys from patterns."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vm_service.worker.prefetch import MAX_ACTIONS, AccessPredictor, SequenceReader, render, split_key, values_of


def call(publisher: str, *arguments: str) -> tuple[str, dict[str, Any]]:
    data = "[" + ",".join(f'"{text}"' for text in arguments) + "]"
    return publisher, {"contract": "token.iost", "action": "transfer", "data": data}


def test_a_missed_key_predicts_the_key_of_the_next_caller() -> None:
    predictor = AccessPredictor()
    predictor.learn([call("alice", "iost", "alice", "bobby", "1.5", "")], "m10:token.iost7:TBaliceiost")
    predictor.learn([call("alice", "iost", "alice", "bobby", "1.5", "")], "m10:token.iost7:TBbobbyiost")
    keys = predictor.predict([call("carol99", "iost", "carol99", "dave_1", "2", "")], set())
    assert set(keys) == {"m10:token.iost9:TBcarol99iost", "m10:token.iost8:TBdave_1iost"}


def test_known_keys_are_not_asked_for_again() -> None:
    predictor = AccessPredictor()
    predictor.learn([call("alice", "x")], "b8:gas.iostalicegs")
    assert predictor.predict([call("bobby", "x")], {"b8:gas.iostbobbygs"}) == []


def test_constant_keys_are_remembered_too() -> None:
    predictor = AccessPredictor()
    predictor.learn([call("alice")], "b9:Contractxtotal")
    assert predictor.predict([call("bobby")], set()) == ["b9:Contractxtotal"]


def test_other_actions_are_not_affected() -> None:
    predictor = AccessPredictor()
    predictor.learn([call("alice")], "b9:Contractxtotal")
    other = ("bobby", {"contract": "token.iost", "action": "issue", "data": "[]"})
    assert predictor.predict([other], set()) == []


def test_keys_of_another_grammar_are_ignored() -> None:
    predictor = AccessPredictor()
    for key in ("", "x", "b", "b99:", "m3:abc", "z1:ab", "b²:x"):
        predictor.learn([call("alice")], key)
    assert all(isinstance(key, str) for key in predictor.predict([call("bobby")], set()))


def test_data_that_is_no_json_gives_no_arguments() -> None:
    assert values_of("alice", "c", "{not json") == ("alice", "c")
    assert values_of("alice", "c", '{"a":1}') == ("alice", "c")
    assert values_of("alice", "c", '["x", 5, null, {"y": 1}]') == ("alice", "c", "x", "5", "", "")


def test_memory_is_bounded() -> None:
    predictor = AccessPredictor()
    for number in range(MAX_ACTIONS + 10):
        predictor.learn([("alice", {"contract": f"C{number}", "action": "a", "data": "[]"})], "b1:Ck")
    assert predictor.predict([("alice", {"contract": "C0", "action": "a", "data": "[]"})], set()) == []
    newest = ("alice", {"contract": f"C{MAX_ACTIONS + 9}", "action": "a", "data": "[]"})
    assert predictor.predict([newest], set()) == ["b1:Ck"]


@given(st.text(max_size=12), st.text(max_size=12), st.lists(st.text(max_size=8), max_size=4))
def test_a_learned_key_is_predicted_for_the_same_call(contract: str, key: str, arguments: list[str]) -> None:
    import json

    stored = f"m{len(contract)}:{contract}{len(key)}:{key}field"
    same = ("alice", {"contract": contract, "action": "a", "data": json.dumps(arguments)})
    predictor = AccessPredictor()
    predictor.learn([same], stored)
    assert predictor.predict([same], set()) == [stored]


def test_a_pattern_with_more_arguments_than_the_call_gives_no_key() -> None:
    assert render(("b", ((3,), ("k",))), ("alice", "c")) is None


def test_split_key_takes_components_apart() -> None:
    assert split_key("m10:token.iost7:TBaliceiost") == ("m", ["token.iost", "TBalice", "iost"])
    assert split_key("cContractX") == ("c", ["ContractX"])


def test_a_counting_sequence_is_read_ahead_in_growing_steps() -> None:
    reader = SequenceReader()
    assert reader.foresee("b9:Contractxitem1") == []
    assert reader.foresee("b9:Contractxitem2") == [f"b9:Contractxitem{n}" for n in range(3, 11)]
    assert reader.foresee("b9:Contractxitem11") == [f"b9:Contractxitem{n}" for n in range(12, 28)]


def test_keys_of_a_sequence_that_are_known_already_do_not_end_it() -> None:
    reader = SequenceReader()
    assert reader.foresee("item1") == []
    assert reader.foresee("item10") == [f"item{n}" for n in range(11, 19)]
    assert reader.foresee("item40") == []


def test_what_does_not_count_is_not_read_ahead() -> None:
    reader = SequenceReader()
    for key in ("item1", "item30", "item29", "item9", "item05", "item06", "item", "x" + "9" * 40, "item4"):
        assert reader.foresee(key) == []


def test_the_number_of_sequences_is_bounded() -> None:
    reader = SequenceReader()
    for stem in range(1000):
        reader.foresee(f"stem{stem}x1")
    assert reader.foresee("stem0x2") == []
    assert reader.foresee("stem999x2") != []

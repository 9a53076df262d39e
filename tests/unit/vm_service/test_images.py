"""Names of images: what the chain stores of a contract depends on its source alone."""

import hashlib

from vm_service.compiler.pipeline import image_key

SOURCE = "class A { init() {} }\nmodule.exports = A;"


def test_the_key_of_an_image_is_the_hash_of_its_source() -> None:
    assert image_key(SOURCE) == hashlib.sha256(SOURCE.encode()).hexdigest()


def test_code_left_as_it_is_has_a_key_of_its_own() -> None:
    assert image_key(SOURCE, raw=True) != image_key(SOURCE)

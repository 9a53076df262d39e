"""LoadVM: the isolate that runs contracts.

* ``isolate``: the only door to V8
* ``load_vm``: kernel, class libraries and host table brought up in an isolate
"""

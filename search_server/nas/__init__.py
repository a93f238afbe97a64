"""The differentiable search: a supernet learns, theta chooses, networks come out.

It is built on torch, numpy and ``shared``. Images are read with pillow, pyarrow, scikit-learn and, from the
hub, datasets. It knows no database and no web framework. It yields facts; who calls it logs them.
"""

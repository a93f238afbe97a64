"""One thread: the networks are too small for more, and results do not depend on the machine's cores."""

import torch

torch.set_num_threads(1)

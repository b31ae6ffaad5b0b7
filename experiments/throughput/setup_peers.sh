#!/bin/sh
# Make what the benchmark compares with, in build/peers (ignored by git): environments of their own for Avalanche
# and JAX, and Hydra's joblib launcher in a folder that is on the path only where it is measured.
set -eu
cd "$(dirname "$0")/../.."
python=${1:-python3}  # one that has torch and numpy
peers=build/peers
mkdir -p "$peers"
numpy=$("$python" -c 'import numpy; print(numpy.__version__)')
if [ ! -e "$peers/avalanche" ]; then
    "$python" -m venv "$peers/avalanche"
    pip="$peers/avalanche/bin/pip"
    # The same torch as here; torchvision without dependencies, since none is built for torch's CPU wheels, in
    # the release that belongs to that torch (0.28 to 2.13), or the last command would replace torch.
    torch=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])')
    "$pip" install "torch==$torch"
    "$pip" install --no-deps avalanche-lib==0.6.0 "torchvision==0.$(echo "$torch" | awk -F. '{print $2 + 15}').*"
    "$pip" install "torch==$torch" dill gdown gputil matplotlib "numpy==$numpy" packaging psutil pytorchcv \
        'qpsolvers' quadprog scikit-learn setuptools tensorboard torchmetrics tqdm typing-extensions wandb
fi
if [ ! -e "$peers/jax" ]; then
    "$python" -m venv "$peers/jax"
    "$peers/jax/bin/pip" install "jax[cpu]==0.10.2" "numpy==$numpy"
fi
if [ ! -e "$peers/joblib" ]; then
    "$python" -m pip install --no-deps --target "$peers/joblib" hydra-joblib-launcher joblib
fi

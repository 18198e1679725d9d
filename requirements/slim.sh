#!/bin/sh
# Removes from the packages in an image what no service loads: the libraries' own tests, and Arrow's headers and Flight.
# PyCaret and sktime import from their tests, so these keep them.
set -eu
cd "$1"/lib/python3*/site-packages
for package in numpy scipy sklearn pandas statsmodels pyarrow numba matplotlib; do
    if [ -d "$package" ]; then
        find "$package" -type d -name tests -prune -exec rm -rf {} +
    fi
done
rm -rf onnx/backend/test pyarrow/include pyarrow/*arrow*flight.so* pyarrow/_flight.*

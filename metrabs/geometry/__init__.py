"""Pure geometric functions; lengths are in mm, image points in pixels.

Worker processes of the data loader must not import TensorFlow: it takes seconds and hundreds of
megabytes for each process. Models need differentiable, batched functions that run on GPUs. Hence
there are modules of both kinds, and lens distortion exists in both:

| NumPy and OpenCV | TensorFlow |
|---|---|
| `boxes`: bounding boxes | `masked`: statistics of the annotated joints |
| `camera`: cameras and how they change | `projection`: to the image plane and back |
| `distortion`: standard and fisheye lenses | `distortion_tf`: the standard lens |
| `reprojection`: images from another camera | `rotations`: rotations of virtual cameras |
| `procrustes`: alignment of poses | `reconstruction`: absolute poses from 2D and relative 3D |
| `pose_distances`: how far poses are apart | `reconstruction_25d`: the same from bone lengths |
"""

MM_PER_M = 1000.0

"""The package's public names and where each of them is at home: the one list of them.

Editors and type checkers read it, and so does ``__init__.py``, which imports a name from there
when it is first used.
"""

from .autodiff.jacobians import hessian as hessian
from .autodiff.jacobians import jacobian as jacobian
from .autodiff.program import write_gradient as write_gradient
from .autodiff.program import write_value as write_value
from .autodiff.refusals import TraceError as TraceError
from .autodiff.trace import Node as Node
from .autodiff.trace import Trace as Trace
from .autodiff.trace import forward as forward
from .autodiff.trace import record as record
from .autodiff.trace import reverse as reverse
from .autodiff.transforms import grad as grad
from .autodiff.transforms import jvp as jvp
from .autodiff.transforms import value_and_grad as value_and_grad
from .autodiff.transforms import vjp as vjp
from .byhand.descent import descend as descend
from .byhand.descent import gradient_descent as gradient_descent
from .byhand.two_layer import TwoLayer as TwoLayer
from .byhand.two_layer import accuracy as accuracy
from .byhand.two_layer import cost as cost
from .byhand.two_layer import gradients as gradients
from .datasets import load_digits as load_digits
from .datasets import load_iris as load_iris
from .differences import finite_difference as finite_difference
from .functions import logistic as logistic
from .functions import logsumexp as logsumexp
from .functions import relu as relu
from .functions import softmax as softmax
from .functions import softplus as softplus
from .gradcheck import check_gradient as check_gradient
from .show import graph_view as graph_view
from .show import table_view as table_view
from .show.plots import figure_html as figure_html
from .show.plots import plot_decision_boundary as plot_decision_boundary
from .show.plots import plot_learning_curve as plot_learning_curve
from .show.plots import plot_paths as plot_paths
from .show.scenes import PicturePlayer as PicturePlayer
from .show.scenes import batch_norm_player as batch_norm_player
from .show.scenes import depth_player as depth_player
from .show.scenes import descent_player as descent_player
from .show.scenes import difference_player as difference_player
from .show.scenes import path_player as path_player
from .show.scenes import symmetry_player as symmetry_player
from .show.steppers import ForwardStepper as ForwardStepper
from .show.steppers import ModesStepper as ModesStepper
from .show.steppers import ReverseStepper as ReverseStepper
from .show.training import surface_player as surface_player
from .show.training import training_player as training_player
from .show.witnesses import side_by_side as side_by_side

__version__: str

"""The deep latent Gaussian model as scikit-learn users expect one."""

from typing import ClassVar

from dlgm_jax.estimators.base import LatentEstimator
from dlgm_jax.estimators.compiled import Spec
from dlgm_jax.models.registry import DEFAULT, entry


class DLGM(LatentEstimator):
    """Deep latent Gaussian model of counts, trained by Algorithm 1 (Krishnan & Hoffman, 2016).

    X is [D, V], sparse or dense, of finite weights from 0; on the host it is never made dense. Latents are those of
    `transform`: refined posterior means. What a row gives depends on that row alone: its noise is drawn by what it
    holds, and rows are looked at in batches of one size, so that on a CPU not even rounding differs.

    n_components: K; generative_widths: hidden layers of p(x|z), () is log-linear; inference_widths: of q(z|x);
    activation: relu, tanh, softplus, gelu or elu; likelihood: multinomial, or dirichlet_multinomial, whose words come
    in bursts; features: what q reads, tfidf, tfidf_smooth, norm or counts.
    M: M - 1 gradient evaluations refine each posterior in training, eval_M elsewhere, 1 is none; refiner: fisher (M is
    odd) or adam, which has the rate psi_learning_rate. max_iter: passes over the rows; batch_size: rows of a gradient
    step; learning_rate, weight_decay: of Adam; input_dropout: share of a row's words that q misses in training; each of
    these five is "auto", what fits the number of rows (dlgm_jax.sizes), or a number. kl_anneal_steps: steps over which
    the weight of the KL grows to 1; length_weighting: a row's bound counts N^-a.
    eval_samples: draws for a row's bound; random_state: of weights, order and noise; verbose: 1 prints every pass.

    After fit: params_, the Params of the model; components_ [K, V]; bound_curve_, mean bound of each pass, nats a word;
    n_iter_, passes so far; settings_, the numbers that "auto" stands for, by the rows of the first call; idf_ [V],
    document_frequencies_ [V] and n_samples_seen_; n_features_in_, feature_names_in_.
    """

    def __init__(
        self,
        n_components=100,
        *,
        generative_widths=(400, 400),
        inference_widths=(400, 400),
        activation="relu",
        likelihood="multinomial",
        features="tfidf",
        M=13,
        refiner="fisher",
        psi_learning_rate=0.01,
        max_iter="auto",
        batch_size="auto",
        learning_rate="auto",
        kl_anneal_steps=0,
        input_dropout="auto",
        weight_decay="auto",
        length_weighting=0.0,
        eval_M=13,
        eval_samples=1,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.generative_widths = generative_widths
        self.inference_widths = inference_widths
        self.activation = activation
        self.likelihood = likelihood
        self.features = features
        self.M = M
        self.refiner = refiner
        self.psi_learning_rate = psi_learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.kl_anneal_steps = kl_anneal_steps
        self.input_dropout = input_dropout
        self.weight_decay = weight_decay
        self.length_weighting = length_weighting
        self.eval_M = eval_M
        self.eval_samples = eval_samples
        self.random_state = random_state
        self.verbose = verbose

    _own_parameters: ClassVar = {
        "size": ("n_components",),
        "widths": ("generative_widths", "inference_widths"),
        "activation": ("activation",),
        "likelihood": ("likelihood",),
    }

    @property
    def _signed(self) -> bool:
        return False

    def _spec(self) -> Spec:
        settings = {
            "K": int(self.n_components),
            "generative_widths": tuple(self.generative_widths),
            "inference_widths": tuple(self.inference_widths),
            "activation": self.activation,
            "likelihood": self.likelihood,
        }
        return Spec(DEFAULT, entry(DEFAULT).made(settings), self.features)

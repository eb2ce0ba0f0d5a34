"""Words for transforms, linear algebra and graphs."""

from neupims.graph.operator import Attribute
from neupims.graph.tracing.recorder import Recorder
from neupims.graph.tracing.regions import Value


class Numeric(Recorder):
    """FFT, factorisations, message passing."""

    def fft(self, x: Value, size: int, *, real: bool = True, inverse: bool = False, name: str | None = None) -> Value:
        """Fourier transform of the last axis; complex numbers are a last axis of 2.

        Real: [..., size] to [..., size / 2 + 1, 2], `inverse` the other way; not real: [..., size, 2] to the same.
        """
        attributes: dict[str, Attribute] = {"size": size, "real": real, "inverse": inverse}
        return self.apply("fft", self.named(name, "fft"), (x,), attributes=attributes)

    def cholesky(self, x: Value, *, name: str | None = None) -> Value:
        """Lower factor of positive definite matrices [..., n, n]."""
        return self.apply("cholesky", self.named(name, "cholesky"), (x,))

    def eigen(self, x: Value, *, name: str | None = None) -> Value:
        """Vectors of symmetric matrices [..., n, n]."""
        return self.apply("eigen", self.named(name, "eigen"), (x,))

    def eigenvalues(self, x: Value, *, name: str | None = None) -> Value:
        """Eigenvalues of symmetric matrices [..., n, n], without vectors: [..., n]."""
        return self.apply("eigenvalues", self.named(name, "eigenvalues"), (x,))

    def triangular_solve(self, matrix: Value, sides: Value, *, name: str | None = None) -> Value:
        """Solutions for triangular matrices [..., n, n] and right sides [..., n, k]."""
        return self.apply("triangular_solve", self.named(name, "triangular_solve"), (matrix, sides))

    def edges(self, count: int, *, name: str = "edges") -> Value:
        """The edges of a graph, [2, count] int32: where each begins and where it ends."""
        return self.own(self.named(name, "edges"), (2, count), "constant", "int32")

    def propagate(
        self, x: Value, edges: Value, weights: Value | None = None, *, nodes: int | None = None, name: str | None = None
    ) -> Value:
        """For each of `nodes` nodes (as many as x has), the features x [nodes, width] of its neighbours summed.

        `weights` [edges] or [edges, heads] multiply them.
        """
        attributes: dict[str, Attribute] = {"nodes": x.shape[0] if nodes is None else nodes}
        inputs = (x, edges) if weights is None else (x, edges, weights)
        return self.apply("message_passing", self.named(name, "propagate"), inputs, attributes=attributes)

    def nearest(self, x: Value, others: Value, k: int, *, name: str | None = None) -> Value:
        """Indices of the k nearest of `others` [n, width] for each row of x [m, width], by squared distance: [m, k].

        |x - y|^2 = |x|^2 - 2 x y + |y|^2: a matrix product, norms, and the choice of the greatest 2 x y - |y|^2.
        """
        with self.scope(name or "nearest"):
            turned = self.view(others, "^T", others.shape[::-1])
            weights = (turned,) if others.tensor.role in ("weight", "constant") else ()
            inputs = (x,) if weights else (x, turned)
            products = self.apply("matmul", self.named(None, "products"), inputs, weights=weights)
            distances = self._less_norms(products, others)
            return self.apply("top_k", self.named(None, "top_k"), (distances,), attributes={"k": k})

    def _less_norms(self, products: Value, others: Value) -> Value:
        """Distances but for the norm of x, which orders nothing; norms of what stays in memory are kept with it."""
        if others.tensor.role in ("weight", "constant"):
            norms = self.own(self.named(None, "norms"), others.shape[:1], "constant")
            return self.apply("sub", self.named(None, "sub"), (products,), weights=(norms,))
        squares = self.apply("square", self.named(None, "square"), (others,))
        attributes: dict[str, Attribute] = {"axis": -1, "keep": False}
        norms = self.apply("sum", self.named(None, "norms"), (squares,), attributes=attributes)
        return self.sub(products, norms)

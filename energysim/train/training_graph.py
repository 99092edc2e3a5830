"""One training step as a layer graph: forward pass, gradients, update of the weights.

Made from the graph of the inference, so every device, objective and engine that simulates a network simulates its
training too. What differs from the inference:

- **BatchNorm** cannot fold into the weights: it reads its input twice (statistics, then scaling) and writes its result;
  backward it reads the gradient and its input twice (sums, then result) and writes a gradient.
- **Activations** run inside their producer, and their gradient is a layer of its own (reads the gradient and the
  result, writes a gradient), inside BatchNorm's where there is one.
- **MAC layers** have an input gradient (but for the first layers, whose input needs none) and a weight gradient.
- **Pooling, elementwise and other layers without MACs** read the gradient, and what their derivative depends on, and
  write a gradient per input. The gradients of a sum and of a concatenation are views and move nothing.
- A feature map with several readers gets its gradients added.
- **Update**: every parameter, its gradient and the optimizer's state are read; parameter and state are written.

Not in it: dropout's masks, the loss's arithmetic, data augmentation, gradients of biases on their way to the update.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind, TensorKind
from energysim.train.gradients import input_gradient, slots_of_weight_gradient, weight_gradient


class Phase(StrEnum):
    """The part of a step that a layer belongs to."""

    FORWARD = "forward"
    INPUT_GRADIENT = "input gradient"
    WEIGHT_GRADIENT = "weight gradient"
    UPDATE = "update"


OPTIMIZER_STATES = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
"""Words of state per parameter: none, a velocity, two moments."""
_UPDATE_OPS = {"sgd": 2, "momentum": 4, "adam": 12, "adamw": 14}  # per parameter: multiplications, additions, roots

_INSIDE = frozenset({"bias", "batch_norm", "scale"})  # folded, without a derivative that needs the result
_LINEAR = ("add", "sub", "avg_pool", "adaptive_avg_pool", "mean", "sum")
_FREE = ("cat", "concat", "stack")


@dataclass(frozen=True)
class TrainingGraph:
    """``parts``: by name of every layer, the layer of the network that it belongs to and its phase."""

    graph: LayerGraph
    parts: dict[str, tuple[str, Phase]]


def training_graph(graph: LayerGraph, optimizer: str) -> TrainingGraph:
    """One step of training the network of ``graph`` (its batch is the input's first axis).

    ``optimizer``: a key of OPTIMIZER_STATES (KeyError for another).
    """
    maker = _Maker(graph.with_open_widths(), optimizer)
    return maker.made()


@dataclass
class _Maker:
    source: LayerGraph
    optimizer: str
    layers: list[Layer] = field(default_factory=list)
    edges: dict[str, Edge] = field(default_factory=dict)
    parts: dict[str, tuple[str, Phase]] = field(default_factory=dict)
    gradients: dict[str, list[str]] = field(default_factory=dict)  # feature map -> gradients that arrive at it

    def made(self) -> TrainingGraph:
        graph = self.source
        self.edges.update(graph.edges)
        needs = _needing_gradient(graph)
        for layer in graph.layers:
            self._forward(layer)
        for name in graph.outputs:
            if name in needs:
                self._loss(name)
        for layer in reversed(graph.layers):
            if any(name in needs for name in layer.outputs):
                self._backward(layer, needs)
        results = self._updates()
        step = LayerGraph(
            f"{graph.name} (training)",
            tuple(self.layers),
            self.edges,
            graph.inputs,
            results,
            graph.parameters,
            graph.unmodelled,
            graph.notes,
        )
        return TrainingGraph(step, self.parts)

    # -- forward

    def _forward(self, layer: Layer) -> None:
        if layer.problem is not None and "batch_norm" in layer.folded:
            before = self._edge(f"{layer.outputs[0]}:before batch_norm", layer.outputs[0])
            operands = tuple((name, before if name == "ofmap" else edge) for name, edge in layer.operands)
            self._add(replace(layer, outputs=(before,), operands=operands), layer, Phase.FORWARD)
            norm = _vector(f"{layer.name}.batch_norm", "batch_norm", (before, before), layer.outputs)
            self._add(norm, layer, Phase.FORWARD)
        elif layer.op == "batch_norm":
            self._add(replace(layer, inputs=layer.inputs * 2), layer, Phase.FORWARD)
        else:
            self._add(layer, layer, Phase.FORWARD)

    def _loss(self, logits: str) -> None:
        """Cross-entropy: reads the logits and writes their gradient."""
        gradient = self._edge(f"d({logits})", logits)
        self.gradients.setdefault(logits, []).append(gradient)
        loss = Layer(f"{logits}.loss", "cross_entropy", LayerKind.VECTOR, (logits,), (gradient,))
        self._add(loss, loss, Phase.FORWARD)

    # -- backward

    def _backward(self, layer: Layer, needs: set[str]) -> None:
        arriving = [self._total(name, layer) for name in layer.outputs if name in needs and name in self.gradients]
        if not arriving:
            return
        if layer.kind is LayerKind.VIEW or layer.op.startswith(_FREE):
            self._pass_on(layer, needs, arriving)
        elif layer.problem is None:
            self._backward_vector(layer, needs, arriving)
        else:
            self._backward_mac(layer, needs, self._before_activation(layer, arriving[0]))

    def _total(self, edge: str, layer: Layer) -> str:
        """The gradient of a feature map: the sum of those that its readers sent."""
        found = self.gradients[edge]
        if len(found) > 1:
            total = self._edge(f"d({edge}):sum", edge)
            adding = _vector(f"{edge}.gradient sum", "add", tuple(found), (total,))
            self._add(adding, layer, Phase.INPUT_GRADIENT)
            self.gradients[edge] = [total]
        return self.gradients[edge][0]

    def _pass_on(self, layer: Layer, needs: set[str], arriving: list[str]) -> None:
        """Views, sums and concatenations: the gradient is (a part of) what arrived; no word moves."""
        made = tuple(self._edge(f"d({name}) of {layer.name}", name) for name in layer.inputs if name in needs)
        if len(arriving) == 1:  # else it is put together of several, whose words lie apart
            root = self.edges[arriving[0]].storage
            self.edges.update({name: replace(self.edges[name], storage=root) for name in made})
        backward = Layer(f"{layer.name}.backward.view", "view", LayerKind.VIEW, tuple(arriving), made)
        self._add(backward, layer, Phase.INPUT_GRADIENT)
        for name, gradient in zip([name for name in layer.inputs if name in needs], made, strict=True):
            self.gradients.setdefault(name, []).append(gradient)

    def _backward_vector(self, layer: Layer, needs: set[str], arriving: list[str]) -> None:
        activated = not _INSIDE.issuperset(layer.folded)
        if layer.op == "add" and not activated:
            self._pass_on(layer, needs, arriving)
            return
        wanted = tuple(name for name in layer.inputs if name in needs)
        if layer.op == "add":
            masked = self._edge(f"d({layer.outputs[0]}):masked", layer.outputs[0])
            backward = _vector(f"{layer.name}.backward", "activation", (*arriving, *layer.outputs), (masked,))
            self._add(backward, layer, Phase.INPUT_GRADIENT)
            self._pass_on(layer, needs, [masked])
            return
        saved = () if layer.op.startswith(_LINEAR) else (layer.outputs if "max_pool" in layer.op else layer.inputs)
        saved = (*saved, *layer.outputs) if activated else saved
        reads = (*arriving, *saved) * (2 if layer.op == "batch_norm" else 1)
        made = tuple(self._edge(f"d({name}) of {layer.name}", name) for name in wanted)
        if not made:
            return
        self._add(_vector(f"{layer.name}.backward", layer.op, reads, made), layer, Phase.INPUT_GRADIENT)
        for name, gradient in zip(wanted, made, strict=True):
            self.gradients.setdefault(name, []).append(gradient)

    def _before_activation(self, layer: Layer, arriving: str) -> str:
        """The gradient before what is folded into a MAC layer: BatchNorm, an activation."""
        result = layer.outputs[0]
        if "batch_norm" in layer.folded:
            reads: tuple[str, ...] = (arriving, f"{result}:before batch_norm") * 2
            name, op = f"{layer.name}.batch_norm.backward", "batch_norm"
        elif not _INSIDE.issuperset(layer.folded):
            reads, name, op = (arriving, result), f"{layer.name}.activation.backward", "activation"
        else:
            return arriving
        gradient = self._edge(f"d({result}):before", result)
        self._add(_vector(name, op, reads, (gradient,)), layer, Phase.INPUT_GRADIENT)
        return gradient

    def _backward_mac(self, layer: Layer, needs: set[str], gradient: str) -> None:
        assert layer.problem is not None
        operands = dict(layer.operands)
        weights, ifmap = operands["weights"], operands["ifmap"]
        if ifmap in needs:
            made = self._edge(f"d({ifmap}) of {layer.name}", ifmap)
            self.gradients.setdefault(ifmap, []).append(made)
            slots = (("weights", weights), ("ifmap", gradient), ("ofmap", made))
            problem = input_gradient(layer.problem)
            self._add_mac(layer, "input_gradient", problem, slots, Phase.INPUT_GRADIENT)
        stored = self.edges[weights].kind is TensorKind.PARAMETER
        if stored or weights in needs:
            made = self._edge(f"d({weights})" if stored else f"d({weights}) of {layer.name}", weights)
            self.gradients.setdefault(weights, []).append(made)
            values = {"ifmap": ifmap, "ofmap": gradient}
            in_weights, in_ifmap = slots_of_weight_gradient(layer.problem)
            slots = (("weights", values[in_weights]), ("ifmap", values[in_ifmap]), ("ofmap", made))
            self._add_mac(layer, "weight_gradient", weight_gradient(layer.problem), slots, Phase.WEIGHT_GRADIENT)

    def _add_mac(
        self, layer: Layer, suffix: str, problem: object, slots: tuple[tuple[str, str], ...], phase: Phase
    ) -> None:
        reads = [edge for name, edge in slots if name != "ofmap"]
        stored = tuple(edge for edge in reads if self.edges[edge].kind is TensorKind.PARAMETER)
        made = Layer(
            f"{layer.name}.{suffix}",
            layer.op,
            LayerKind.MAC,
            tuple(edge for edge in reads if edge not in stored),
            (dict(slots)["ofmap"],),
            stored,
            problem,  # type: ignore[arg-type]
            slots,
            module=layer.module,
        )
        self._add(made, layer, phase)

    # -- update

    def _updates(self) -> tuple[str, ...]:
        """One update per layer with parameters (a shared parameter once); names of the new parameters."""
        states, done = OPTIMIZER_STATES[self.optimizer], set[str]()
        results: list[str] = []
        for layer in self.source.layers:
            own = [p for p in layer.parameters if self.edges[p].kind is TensorKind.PARAMETER and p not in done]
            done.update(own)
            if not own:
                continue
            reads: list[str] = []
            writes: list[str] = []
            for name in own:
                gradient = self._edge(f"d({name})", name)
                kept = [f"{name}:state{index}" for index in range(states)]
                reads += [name, gradient, *(self._edge(state, name) for state in kept)]
                writes += [self._edge(f"{name}:new", name), *(self._edge(f"{state}:new", name) for state in kept)]
                results.append(f"{name}:new")
            words = sum(self.edges[name].words for name in own)
            update = _vector(f"{layer.name}.update", self.optimizer, tuple(reads), tuple(writes))
            self._add(replace(update, ops=words * _UPDATE_OPS[self.optimizer]), layer, Phase.UPDATE)
        return tuple(results)

    # -- parts

    def _edge(self, name: str, like: str) -> str:
        """An edge of its own with the shape of another."""
        self.edges[name] = Edge(name, self.source.edges[like].shape, TensorKind.ACTIVATION, name)
        return name

    def _add(self, layer: Layer, origin: Layer, phase: Phase) -> None:
        self.layers.append(layer)
        self.parts[layer.name] = (origin.name, phase)


def _vector(name: str, op: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> Layer:
    return Layer(name, op, LayerKind.VECTOR, reads, writes)


def _needing_gradient(graph: LayerGraph) -> set[str]:
    """Feature maps that depend on a parameter."""
    needs: set[str] = set()
    for layer in graph.layers:
        trained = any(graph.edges[name].kind is TensorKind.PARAMETER for name in layer.parameters)
        if trained or any(name in needs for name in layer.inputs):
            needs.update(layer.outputs)
    return needs

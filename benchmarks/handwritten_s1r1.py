"""GCNet S1R1 as one writes it by hand in PyTorch: what the engine's speed is held against.

The same layers, losses, multipliers and batch as prototxt/ck_fold0_S1R1_train_test.prototxt, in
channels-last memory format, with torch.optim's own Nesterov. It reads no prototxt.
"""

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (32, 64, 96)
KERNELS = (5, 3, 3)


class Encoder(nn.Module):
    """Three times convolution, BatchNorm, ReLU and 2x2 max pooling with its indices."""

    def __init__(self):
        super().__init__()
        widths = (1, *WIDTHS)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, padding=k // 2, bias=False)
            for a, b, k in zip(widths, WIDTHS, KERNELS)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)

    def forward(self, x):
        masks = []
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)), inplace=True)
            x, mask = F.max_pool2d(x, 2, return_indices=True)
            masks.append(mask)
        return x, masks


class Decoder(nn.Module):
    """The encoder's mirror: unpooling, transposed convolution, BatchNorm, ReLU."""

    def __init__(self):
        super().__init__()
        widths = (*WIDTHS[::-1], 1)
        self.deconvs = nn.ModuleList(
            nn.ConvTranspose2d(a, b, k, padding=k // 2, bias=False)
            for a, b, k in zip(widths, widths[1:], KERNELS[::-1])
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        nn.init.constant_(self.norms[-1].weight, 0.25)
        nn.init.constant_(self.norms[-1].bias, 0.5)

    def forward(self, x, masks):
        for deconv, norm, mask in zip(self.deconvs, self.norms, masks[::-1]):
            x = F.relu(norm(deconv(F.max_unpool2d(x, mask, 2))), inplace=True)
        return x


class S1R1(nn.Module):
    """Figure 2f of the paper; `forward` returns the total loss of a batch of pairs."""

    def __init__(self, classes=7):
        super().__init__()
        self.enc1, self.dec1 = Encoder(), Decoder()
        self.enc2, self.dec2i, self.dec2r = Encoder(), Decoder(), Decoder()
        self.fc1, self.fc2 = nn.Linear(WIDTHS[-1] * 64, 384), nn.Linear(384, classes)

    def forward(self, pair, label):
        query, reference = pair[:, :1], pair[:, 1:]
        generated = self.dec1(*self.enc1(query))
        latent_q, masks_q = self.enc2(query)
        latent_r, masks_r = self.enc2(generated)
        a, b = latent_q.flatten(1), latent_r.flatten(1)
        unit_a, unit_b = (x * (x.square().sum(1, keepdim=True) + 1e-6).rsqrt() for x in (a, b))
        distance2 = (unit_a - unit_b).square().sum(1)
        similar = (label > 6).float()
        hinge = (1 - distance2.clamp_min(1e-12).sqrt()).clamp_min(0).square()
        contrastive = (similar * distance2 + (1 - similar) * hinge).sum() / (2 * len(label))
        difference = (a - b).abs()
        delta = difference / difference.norm(dim=1, keepdim=True).clamp_min(1e-6)
        feature = F.relu(self.fc1(F.dropout(delta * 78.383675, 0.5)))
        loss = F.cross_entropy(self.fc2(feature), label, ignore_index=7)
        return (
            loss
            + contrastive
            + _euclidean(generated, reference)
            + 0.25 * _euclidean(self.dec2i(latent_q, masks_q), query)
            + 0.25 * _euclidean(self.dec2r(latent_r, masks_r), reference)
        )


def _euclidean(a, b):
    return (a - b).square().sum() / (2 * len(a))


def make_optimizer(model):
    """Return Nesterov with the solver's rate, decay and the decoders' multiplier of 10."""
    decoders = [model.dec1, model.dec2i, model.dec2r]
    fast = [param for decoder in decoders for param in decoder.parameters()]
    known = {id(param) for param in fast}
    slow = [param for param in model.parameters() if id(param) not in known]
    groups = [{"params": slow}, {"params": fast, "lr": 0.01}]
    return torch.optim.SGD(groups, lr=0.001, momentum=0.9, weight_decay=1e-4, nesterov=True)


def make_step(batch_size=64, compiled=False, seed=0, device="cpu", bf16=False, graphed=False):
    """Return a function that does one training step on random pairs and returns the loss.

    With `graphed` the whole step, the update included, is one CUDA graph.
    """
    torch.manual_seed(seed)
    device = torch.device(device)
    model = S1R1().to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(model)
    pair = torch.rand(batch_size, 2, 64, 64).to(device, memory_format=torch.channels_last)
    label = (torch.arange(batch_size) % 7).to(device)
    loss_of = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = loss_of(pair, label)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _as_graph(step) if graphed else step


def _as_graph(step):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay():
        graph.replay()
        return loss

    return replay

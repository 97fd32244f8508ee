"""The packing experiment: how full a cluster gets when pods of all shapes arrive and none may be moved."""

from petahour.simulator.packing.experiment import LOST, Packed, pack
from petahour.simulator.packing.pods import Nodes, Pods, Shape, read_nodes, read_pods
from petahour.simulator.packing.rank import RANKINGS

__all__ = ["LOST", "RANKINGS", "Nodes", "Packed", "Pods", "Shape", "pack", "read_nodes", "read_pods"]

"""The queue of training runs in Redis: the API submits them, a trainer takes them one at a time."""

from zelador.training_queue.consumer import Consumer
from zelador.training_queue.queue import TrainingQueue
from zelador.training_queue.run import Job, Run, RunRequest, RunState

__all__ = ["Consumer", "Job", "Run", "RunRequest", "RunState", "TrainingQueue"]

"""A training run: the job in the parent process, and the work in a child process that imports PyCaret.

In the order in which a run passes through them:

    parent   job         checks the request, splits the rows, starts the child
             request     what the parent asks of the child
             session     runs one child after another, if candidates end them
             process     a child, as the parent sees it
    child    child       the process: reads the request, sends events
             work        the steps of the work
             compared    compares the candidates (compare/)
             more        compares tuned, blended and stacked candidates
             write       writes the models and their reports (candidate/, evaluate/)
    parent   recorder    records the child's events
             register    stores the models with the run, and registers those that were requested
"""

"""A facility for tests of faults: its tasks do what their messages say, and write down each effect."""

from __future__ import annotations

PLUGIN = """
    import os, resource, signal, time
    from contextlib import contextmanager
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, IntegrationType, Reject, Retry, Text, hookimpl, task

    HERE = Path(__file__).parent.parent
    TARGETS = {"worker": os.getpid, "supervisor": os.getppid}

    @frozen
    class Job:
        name: Text
        first: str = ""
        second: str = ""
        other: str = ""

    def write(name, ctx, line):
        envelope = ctx.envelope
        file = os.open(HERE / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{envelope.queue} {line} {envelope.correlation_id} {envelope.attempt}\\n".encode())
        os.close(file)

    def once(*what):
        try:
            os.close(os.open(HERE / "-".join(("once", *what)), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    leaked = []

    def act(words, task, job, ctx):
        do, more = (*words.split(), "", "")[:2]
        if do == "wait":  # until the test opens the gate
            write("waiting", ctx, task)
            while not (HERE / more).exists():
                time.sleep(0.01)
        elif do == "kill" and once(job.name, task):
            if more == "all":
                os.killpg(0, signal.SIGKILL)
            os.kill(TARGETS[more](), signal.SIGKILL)
        elif do == "exit":
            os._exit(3)
        elif do == "hang" and (more != "once" or once(job.name, task)):
            time.sleep(3600)
        elif do == "leak":
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
            leaked.append(bytes(int(more) << 20))  # of the address space alone: nobody writes into it
        elif do == "retry" and ctx.envelope.attempt <= int(more):
            raise Retry("try again", after=0)
        elif do == "later" and ctx.envelope.attempt == 1:
            raise Retry("try again", after=float(more))
        elif do == "reject":
            raise Reject("bad")
        elif do == "sleep":
            time.sleep(float(more))
        elif do == "emit":
            ctx.emit(more, {"name": job.name})
        write("effects", ctx, task)

    @task
    def first(job, ctx):
        act(job.first, "first", job, ctx)

    @task(after=[first])
    def second(job, ctx):
        act(job.second, "second", job, ctx)

    @task
    def other(job, ctx):
        act(job.other, "other", job, ctx)

    @task(name="follow")
    def follow(job, ctx):
        act("", "follow", job, ctx)

    class Away(Exception):
        pass

    @frozen
    class Options:
        flag: str

    class Shelf:
        def __init__(self, options):
            self.flag = Path(options.flag)

        def check(self):
            if self.flag.exists():
                raise Away("the shelf is away")

    @contextmanager
    def open_shelf(options):
        yield Shelf(options)

    SHELF = IntegrationType(name="shelf", options=Options, open=open_shelf, check=Shelf.check,
                            is_away=lambda error: isinstance(error, Away))

    @task(needs=[SHELF], optional=True)
    def shelve(job, ctx):
        ctx[SHELF].check()
        act("", "shelve", job, ctx)

    @hookimpl
    def pacer_integrations():
        yield SHELF

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="jobs", message=Job, tasks=[first, second, other, shelve])
        yield ConsumerType(name="shelved", message=Job, tasks=[shelve])
        yield ConsumerType(name="children", message=Job, tasks=[follow])
"""
CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, vHost: "{vhost}"{broker}}}
      {recipients}
    queues: [{{name: jobs{queue}}}, {{name: children}}]
    consumers:
      - {{type: {kind}, queues: [jobs]{consumer}}}
      - {{type: children, queues: [children]}}
    {more}
    logging: {{logLevel: INFO}}
    processes: {{stateFolder: {state}, shutdownGrace: {grace}}}
"""
TASKS = ("first", "second", "other")
"""What is done with a job when nothing goes wrong."""

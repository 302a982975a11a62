"""One consumer process: prints a line `shard text` for every log it reads, until it is killed or
its input ends. Arguments: key id, secret, project, Logstore, group, consumer, in order (0 or 1)."""

import sys

from aliyun.log.consumer import ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig

from conftest import ENDPOINT

# A consumer is taken for dead after twice this: short for the test's sake, and long enough for a
# busy machine not to lose consumers that live.
HEARTBEAT_S = 5
FETCH_S = 0.2


class Printer(ConsumerProcessorBase):
    def process(self, log_groups, check_point_tracker):
        for group in log_groups.LogGroups:
            for log in group.Logs:
                for content in log.Contents:
                    # In one call: every shard has a thread, and print() writes the end of a line apart.
                    sys.stdout.write(f"{self.shard_id} {content.Value}\n")
        sys.stdout.flush()
        self.save_checkpoint(check_point_tracker, force=True)


def main():
    key_id, secret, project, logstore, group, consumer, in_order = sys.argv[1:]
    config = LogHubConfig(
        ENDPOINT,
        key_id,
        secret,
        project,
        logstore,
        group,
        consumer,
        cursor_position=CursorPosition.BEGIN_CURSOR,
        heartbeat_interval=HEARTBEAT_S,
        data_fetch_interval=FETCH_S,
        in_order=in_order == "1",
    )
    worker = ConsumerWorker(Printer, config)
    worker.start()
    sys.stdin.read()
    worker.shutdown()
    worker.join()


if __name__ == "__main__":
    main()

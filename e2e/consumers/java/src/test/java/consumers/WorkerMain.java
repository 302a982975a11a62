package consumers;

import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.loghub.client.ClientWorker;
import com.aliyun.openservices.loghub.client.ILogHubCheckPointTracker;
import com.aliyun.openservices.loghub.client.config.LogHubConfig;
import com.aliyun.openservices.loghub.client.exceptions.LogHubCheckPointException;
import com.aliyun.openservices.loghub.client.interfaces.ILogHubProcessor;
import java.util.List;

/**
 * One consumer process: prints a line {@code shard text} for every log it reads, until it is killed
 * or its input ends. Arguments: key id, secret, project, Logstore, group, consumer.
 */
public final class WorkerMain {
    private static final int HEARTBEAT_MILLIS = 5_000;
    private static final int FETCH_MILLIS = 200;
    /** Short for the test's sake, and long enough for a busy machine not to lose who lives. */
    private static final int TIMEOUT_S = 10;

    public static void main(String[] arguments) throws Exception {
        LogHubConfig config = new LogHubConfig(
                arguments[4],
                arguments[5],
                Emulator.ENDPOINT,
                arguments[2],
                arguments[3],
                arguments[0],
                arguments[1],
                LogHubConfig.ConsumePosition.BEGIN_CURSOR);
        config.setHeartBeatIntervalMillis(HEARTBEAT_MILLIS);
        config.setFetchIntervalMillis(FETCH_MILLIS);
        config.setTimeoutInSeconds(TIMEOUT_S);
        ClientWorker worker = new ClientWorker(Printer::new, config);
        Thread thread = new Thread(worker);
        thread.start();
        while (System.in.read() != -1) {
            // Input ends when the test does.
        }
        worker.shutdown();
        thread.join();
        System.exit(0);
    }

    private static final class Printer implements ILogHubProcessor {
        private int shard;

        @Override
        public void initialize(int shard) {
            this.shard = shard;
        }

        @Override
        public String process(List<LogGroupData> groups, ILogHubCheckPointTracker tracker) {
            for (LogGroupData data : groups) {
                FastLogGroup group = data.GetFastLogGroup();
                for (int log = 0; log < group.getLogsCount(); log++) {
                    print(group.getLogs(log));
                }
            }
            return save(tracker);
        }

        private void print(FastLog log) {
            for (int content = 0; content < log.getContentsCount(); content++) {
                System.out.println(shard + " " + log.getContents(content).getValue());
            }
        }

        /** Nothing to go back to, or the cursor to read again from. */
        private static String save(ILogHubCheckPointTracker tracker) {
            try {
                tracker.saveCheckPoint(true);
                return null;
            } catch (LogHubCheckPointException failed) {
                return tracker.getCheckPoint();
            }
        }

        @Override
        public void shutdown(ILogHubCheckPointTracker tracker) {
            save(tracker);
        }
    }
}

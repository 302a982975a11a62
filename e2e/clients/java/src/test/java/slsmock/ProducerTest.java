package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slsmock.Bed.STORE;
import static slsmock.Bed.log;

import com.aliyun.openservices.aliyun.log.producer.LogProducer;
import com.aliyun.openservices.aliyun.log.producer.ProducerConfig;
import com.aliyun.openservices.aliyun.log.producer.ProjectConfig;
import com.aliyun.openservices.aliyun.log.producer.Result;
import com.aliyun.openservices.aliyun.log.producer.errors.ResultFailedException;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.google.common.util.concurrent.ListenableFuture;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * aliyun-log-producer: logs sent in the background. It makes its clients itself and takes no proxy
 * for them; {@link ProjectConfig#setProxyIp} says which address to connect to instead of the one
 * that the name of the project has.
 */
class ProducerTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    private static LogProducer producer(Bed bed, SignVersion version, String compression, String secret) {
        ProducerConfig config = new ProducerConfig();
        config.setLingerMs(ProducerConfig.LINGER_MS_LOWER_LIMIT);
        config.setIoThreadCount(2);
        config.setRetries(0);
        config.setSignVersion(version);
        config.setRegion("cn-hangzhou");
        config.setCompressType(compression);
        LogProducer producer = new LogProducer(config);
        ProjectConfig project = new ProjectConfig(bed.project, Emulator.ENDPOINT, Emulator.KEY_ID, secret);
        project.setProxyIp(emulator.address());
        producer.putProjectConfig(project);
        return producer;
    }

    @ParameterizedTest
    @CsvSource({"V1,lz4", "V4,lz4", "V4,zstd"})
    void everyLogIsSentAndToldOf(SignVersion version, String compression) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            LogProducer producer = producer(bed, version, compression, Emulator.KEY_SECRET);
            List<ListenableFuture<Result>> outcomes = new ArrayList<>();
            for (int n = 0; n < 20; n++) {
                outcomes.add(producer.send(bed.project, STORE, "topic-a", "10.0.0.9", log("n", Integer.toString(n))));
            }
            for (ListenableFuture<Result> outcome : outcomes) {
                assertTrue(outcome.get().isSuccessful());
            }
            producer.close();
            assertEquals(20, bed.rows("*").size());
            assertEquals("topic-a", bed.rows("*").get(0).get("__topic__"));
        }
    }

    @ParameterizedTest
    @CsvSource({"V1,lz4", "V4,zstd"})
    void whatTheServiceRefusesIsToldWithItsCode(SignVersion version, String compression) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            LogProducer producer = producer(bed, version, compression, Emulator.KEY_SECRET);
            ListenableFuture<Result> outcome = producer.send(bed.project, "missing", log("n", "1"));
            ExecutionException failed = assertThrows(ExecutionException.class, outcome::get);
            Result result = ((ResultFailedException) failed.getCause()).getResult();
            assertFalse(result.isSuccessful());
            assertEquals("LogStoreNotExist", result.getErrorCode());
            producer.close();
        }
    }
}

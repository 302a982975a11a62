package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;
import static slsmock.Bed.now;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Alert;
import com.aliyun.openservices.log.common.AlertConfiguration;
import com.aliyun.openservices.log.common.AliyunLOGSink;
import com.aliyun.openservices.log.common.ETLConfiguration;
import com.aliyun.openservices.log.common.ETLV2;
import com.aliyun.openservices.log.common.JobSchedule;
import com.aliyun.openservices.log.common.JobScheduleType;
import com.aliyun.openservices.log.common.JobState;
import com.aliyun.openservices.log.common.Query;
import com.aliyun.openservices.log.common.ScheduledSQL;
import com.aliyun.openservices.log.common.ScheduledSQLBaseParameters;
import com.aliyun.openservices.log.common.ScheduledSQLConfiguration;
import com.aliyun.openservices.log.common.TimeSpanType;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.*;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Jobs. The emulator runs none, so what is asserted is what is kept of them. */
class JobsTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    private static JobSchedule every(String interval) {
        JobSchedule schedule = new JobSchedule();
        schedule.setType(JobScheduleType.FIXED_RATE);
        schedule.setInterval(interval);
        return schedule;
    }

    @Test
    void alertsAreSwitchedOnAndOff() throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            Client client = bed.client;
            Query query = new Query();
            query.setChartTitle("c");
            query.setLogStore(STORE);
            query.setQuery("* | select 1 as n");
            query.setTimeSpanType(TimeSpanType.RELATIVE);
            query.setStart("-60s");
            query.setEnd("now");
            AlertConfiguration configuration = new AlertConfiguration();
            configuration.setCondition("n > 1");
            configuration.setDashboard("d");
            configuration.setQueryList(List.of(query));
            configuration.setNotificationList(List.of());
            Alert alert = new Alert();
            alert.setName("many");
            alert.setDisplayName("Many");
            alert.setState(JobState.ENABLED);
            alert.setSchedule(every("1h"));
            alert.setConfiguration(configuration);
            client.createAlert(new CreateAlertRequest(bed.project, alert));
            assertCode("JobAlreadyExist", () -> client.createAlert(new CreateAlertRequest(bed.project, alert)));
            client.disableAlert(new DisableAlertRequest(bed.project, "many"));
            GetAlertRequest get = new GetAlertRequest(bed.project, "many");
            assertEquals(JobState.DISABLED, client.getAlert(get).getAlert().getState());
            client.enableAlert(new EnableAlertRequest(bed.project, "many"));
            Alert kept = client.getAlert(get).getAlert();
            assertEquals(JobState.ENABLED, kept.getState());
            assertEquals("n > 1", kept.getConfiguration().getCondition());
            assertEquals("1h", kept.getSchedule().getInterval());
            assertEquals(1, client.listAlert(new ListAlertRequest(bed.project)).getTotal());
            client.deleteAlert(new DeleteAlertRequest(bed.project, "many"));
            assertCode("JobNotExist", () -> client.getAlert(get));
        }
    }

    @Test
    void transformationsAreStartedAndStopped() throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            Client client = bed.client;
            ETLConfiguration configuration = new ETLConfiguration();
            configuration.setLogstore(STORE);
            configuration.setScript("e_set(\"a\", \"b\")");
            configuration.setVersion(2);
            configuration.setParameters(Map.of());
            configuration.setSinks(List.of(new AliyunLOGSink("out", bed.project, "cleaned")));
            ETLV2 job = new ETLV2();
            job.setName("clean");
            job.setDisplayName("Clean");
            job.setConfiguration(configuration);
            JobSchedule schedule = new JobSchedule();
            schedule.setType(JobScheduleType.RESIDENT);
            job.setSchedule(schedule);
            client.createETLV2(new CreateETLV2Request(bed.project, job));
            GetETLV2Request get = new GetETLV2Request(bed.project, "clean");
            assertEquals(
                    "e_set(\"a\", \"b\")",
                    client.getETLV2(get).getEtl().getConfiguration().getScript());
            client.stopETLV2(new StopETLV2Request(bed.project, "clean"));
            assertEquals("STOPPED", client.getETLV2(get).getEtl().getStatus());
            client.startETLV2(new StartETLV2Request(bed.project, "clean"));
            assertEquals("RUNNING", client.getETLV2(get).getEtl().getStatus());
            assertEquals(1, client.listETLV2(new ListETLV2Request(bed.project)).getTotal());
            client.deleteETLV2(new DeleteETLV2Request(bed.project, "clean"));
            assertCode("JobNotExist", () -> client.getETLV2(get));
        }
    }

    @Test
    void scheduledSqlHasAListOfRuns() throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            Client client = bed.client;
            ScheduledSQLConfiguration configuration = new ScheduledSQLConfiguration();
            configuration.setSourceLogstore(STORE);
            configuration.setDestLogstore("sums");
            configuration.setScript("* | select 1 as a");
            configuration.setFromTime((long) now());
            configuration.setToTime(0L);
            configuration.setDataFormat("log2log");
            configuration.setParameters(new ScheduledSQLBaseParameters());
            ScheduledSQL job = new ScheduledSQL();
            job.setName("sum");
            job.setDisplayName("Sum");
            job.setSchedule(every("60s"));
            job.setConfiguration(configuration);
            client.createScheduledSQL(new CreateScheduledSQLRequest(bed.project, job));
            GetScheduledSQLRequest get = new GetScheduledSQLRequest(bed.project, "sum");
            ScheduledSQL kept = client.getScheduledSQL(get).getScheduledSQL();
            assertEquals("* | select 1 as a", kept.getConfiguration().getScript());
            int hour = now() / 3600 * 3600;
            ListJobInstancesRequest runs = new ListJobInstancesRequest(bed.project, "sum", hour - 3600, hour);
            assertEquals(0, client.listJobInstances(runs).getTotal());
            client.deleteScheduledSQL(new DeleteScheduledSQLRequest(bed.project, "sum"));
            assertCode("JobNotExist", () -> client.getScheduledSQL(get));
        }
    }
}

package walk

import (
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

// The emulator runs no job: what is asserted is what is kept of them.

func TestAlertsAreSwitchedOnAndOff(t *testing.T) {
	client, project := inProject(t)
	alert := &sls.Alert{
		Name: "many", DisplayName: "Many", State: "Enabled",
		Schedule: &sls.Schedule{Type: sls.ScheduleTypeFixedRate, Interval: "1h"},
		Configuration: &sls.AlertConfiguration{
			Condition: "n > 1", Dashboard: "d",
			QueryList: []*sls.AlertQuery{{ChartTitle: "c", LogStore: store, Query: "* | select 1 as n", Start: "-60s", End: "now"}},
		},
	}
	must(t, client.CreateAlert(project, alert))
	refused(t, client.CreateAlert(project, alert), "JobAlreadyExist")
	kept := got(client.GetAlert(project, "many"))(t)
	shown(t, "n > 1 1h true", kept.Configuration.Condition, kept.Schedule.Interval, kept.IsEnabled())
	must(t, client.DisableAlert(project, "many"))
	equal(t, got(client.GetAlert(project, "many"))(t).IsEnabled(), false)
	must(t, client.EnableAlert(project, "many"))
	alert.DisplayName = "More"
	must(t, client.UpdateAlert(project, alert))
	alerts, total, count, err := client.ListAlert(project, "", "", 0, 10)
	must(t, err)
	shown(t, "More true 1 1", alerts[0].DisplayName, alerts[0].IsEnabled(), total, count)
	must(t, client.DeleteAlert(project, "many"))
	refused(t, second(client.GetAlert(project, "many")), "JobNotExist")
}

func TestTransformationsAreStartedStoppedAndRestarted(t *testing.T) {
	client, project := inProject(t)
	etl := etlJob(project)
	must(t, client.CreateETL(project, etl))
	equal(t, got(client.GetETL(project, "clean"))(t).Configuration.Logstore, store)
	must(t, client.StopETL(project, "clean"))
	equal(t, got(client.GetETL(project, "clean"))(t).Status, "STOPPED")
	must(t, client.StartETL(project, "clean"))
	equal(t, got(client.GetETL(project, "clean"))(t).Status, "RUNNING")
	etl.Configuration.Script = "e_drop()"
	must(t, client.UpdateETL(project, etl))
	etl.DisplayName = "again"
	must(t, client.RestartETL(project, etl))
	listed := got(client.ListETL(project, 0, 10))(t)
	shown(t, "1 again e_drop()", listed.Total, listed.Results[0].DisplayName, listed.Results[0].Configuration.Script)
	must(t, client.DeleteETL(project, "clean"))
	refused(t, second(client.GetETL(project, "clean")), "JobNotExist")
}

func TestScheduledSQLHasAListOfRuns(t *testing.T) {
	client, project := inProject(t)
	job := &sls.ScheduledSQL{
		Name: "sum", DisplayName: "Sum", Type: sls.SCHEDULED_SQL_JOB,
		Schedule: &sls.Schedule{Type: sls.ScheduleTypeFixedRate, Interval: "1m"},
		Configuration: &sls.ScheduledSQLConfiguration{
			SourceLogStore: store, DestLogStore: "sums", Script: "* | select 1 as a", FromTime: time.Now().Unix(),
			DataFormat: sls.LOG_TO_LOG, SqlType: sls.STANDARD, ResourcePool: sls.DEFAULT,
		},
	}
	must(t, client.CreateScheduledSQL(project, job))
	job.Configuration.Script = "* | select 2 as a"
	must(t, client.UpdateScheduledSQL(project, job))
	equal(t, got(client.GetScheduledSQL(project, "sum"))(t).Configuration.Script, "* | select 2 as a")
	_, total, count, err := client.ListScheduledSQL(project, "", "", 0, 10)
	must(t, err)
	shown(t, "1 1", total, count)
	hour := time.Now().Unix() / 3600 * 3600
	runs, instances, _, err := client.ListScheduledSQLJobInstances(project, "sum", &sls.InstanceStatus{FromTime: hour - 3600, ToTime: hour, Size: 10})
	must(t, err)
	shown(t, "0 0", len(runs), instances)
	refused(t, second(client.GetScheduledSQLJobInstance(project, "sum", "run-1", false)), "JobInstanceNotExist")
	refused(t, client.ModifyScheduledSQLJobInstanceState(project, "sum", "run-1", sls.ScheduledSQL_RUNNING), "JobInstanceNotExist")
	must(t, client.DeleteScheduledSQL(project, "sum"))
	refused(t, second(client.GetScheduledSQL(project, "sum")), "JobNotExist")
}

func scheduled(name string, kind sls.JobType) sls.ScheduledJob {
	base := sls.BaseJob{Name: name, DisplayName: name, Type: kind}
	return sls.ScheduledJob{BaseJob: base, Schedule: &sls.Schedule{Type: "Resident", RunImmediately: true}}
}

func TestIngestionsKeepTheirSource(t *testing.T) {
	client, project := inProject(t)
	source := sls.AliyunOSSSource{DataSource: sls.DataSource{DataSourceType: sls.DataSourceOSS}, Bucket: "one", Endpoint: "oss.test"}
	job := &sls.Ingestion{
		ScheduledJob:           scheduled("read", sls.INGESTION_JOB),
		IngestionConfiguration: &sls.IngestionConfiguration{Version: "v2.0", LogStore: store, DataSource: source},
	}
	must(t, client.CreateIngestion(project, job))
	source.Bucket = "two"
	job.IngestionConfiguration.DataSource = source
	must(t, client.UpdateIngestion(project, job))
	kept := got(client.GetIngestion(project, "read"))(t)
	shown(t, "two", kept.IngestionConfiguration.DataSource.(map[string]interface{})["bucket"])
	_, total, _, err := client.ListIngestion(project, store, "", "", 0, 10)
	must(t, err)
	equal(t, total, 1)
	must(t, client.DeleteIngestion(project, "read"))
	refused(t, second(client.GetIngestion(project, "read")), "JobNotExist")
}

func TestExportsKeepTheirSinkAndAreRestarted(t *testing.T) {
	client, project := inProject(t)
	sink := &sls.AliyunOSSSink{Type: sls.DataSinkOSS, Bucket: "one", BufferSize: 256, BufferInterval: 300, ContentType: "json"}
	job := &sls.Export{
		ScheduledJob:        scheduled("copy", sls.EXPORT_JOB),
		ExportConfiguration: &sls.ExportConfiguration{LogStore: store, Version: sls.ExportVersion2, FromTime: 1, DataSink: sink, Parameters: map[string]string{}},
	}
	must(t, client.CreateExport(project, job))
	sink.Bucket = "two"
	must(t, client.UpdateExport(project, job))
	sink.BufferSize = 128
	must(t, client.RestartExport(project, job))
	kept := got(client.GetExport(project, "copy"))(t)
	shown(t, "two RUNNING", kept.ExportConfiguration.DataSink.(*sls.AliyunOSSSink).Bucket, kept.Status)
	_, total, _, err := client.ListExport(project, store, "", "", 0, 10)
	must(t, err)
	equal(t, total, 1)
	must(t, client.DeleteExport(project, "copy"))
	refused(t, second(client.GetExport(project, "copy")), "JobNotExist")
}

func TestMetaOfTransformations(t *testing.T) {
	client, project := inProject(t)
	meta := &sls.EtlMeta{MetaName: "aliyun", MetaKey: "user-1", MetaTag: "123", MetaValue: map[string]string{"aliuid": "1"}}
	must(t, client.CreateEtlMeta(project, meta))
	meta.MetaValue["aliuid"] = "2"
	must(t, client.UpdateEtlMeta(project, meta))
	equal(t, got(client.GetEtlMeta(project, "aliyun", "user-1"))(t).MetaValue["aliuid"], "2")
	total, _, metas, err := client.ListEtlMeta(project, "aliyun", 0, 10)
	must(t, err)
	shown(t, "1 123", total, metas[0].MetaTag)
	total, _, _, err = client.ListEtlMetaWithTag(project, "aliyun", "other", 0, 10)
	must(t, err)
	equal(t, total, 0)
	_, _, names, err := client.ListEtlMetaName(project, 0, 10)
	must(t, err)
	shown(t, "[aliyun]", names)
	must(t, client.DeleteEtlMeta(project, "aliyun", "user-1"))
	total, _, _, err = client.ListEtlMeta(project, "aliyun", 0, 10)
	must(t, err)
	equal(t, total, 0)
}

func etlJob(project string) sls.ETL {
	sink := sls.ETLSink{Name: "clean", Project: project, Logstore: "cleaned", AccessKeyId: "id", AccessKeySecret: "secret"}
	return sls.ETL{
		Name: "clean", DisplayName: "Clean", Type: "ETL", Schedule: sls.ETLSchedule{Type: "Resident"},
		Configuration: sls.ETLConfiguration{
			Logstore: store, Script: `e_set("a", "b")`, Version: 2, ETLSinks: []sls.ETLSink{sink},
		},
	}
}

func TestTriggersOfFunctions(t *testing.T) {
	client, name := inProject(t)
	project := got(client.GetProject(name))(t)
	job := &sls.ETLJob{
		JobName:           "trigger",
		SourceConfig:      &sls.SourceConfig{LogstoreName: store},
		TriggerConfig:     &sls.TriggerConfig{MaxRetryTime: 1, TriggerInterval: 60, RoleARN: "arn"},
		FunctionConfig:    &sls.FunctionConfig{FunctionProvider: "FunctionCompute", ServiceName: "s", FunctionName: "f"},
		FunctionParameter: map[string]interface{}{"a": "b"},
		LogConfig:         &sls.JobLogConfig{ProjectName: name, LogstoreName: store},
		Enable:            true,
	}
	must(t, project.CreateETLJob(job))
	job.TriggerConfig.TriggerInterval = 120
	must(t, project.UpdateETLJob("trigger", job))
	kept := got(project.GetETLJob("trigger"))(t)
	shown(t, "120 f", kept.TriggerConfig.TriggerInterval, kept.FunctionConfig.FunctionName)
	shown(t, "[trigger]", got(project.ListETLJobs())(t))
	must(t, project.DeleteETLJob("trigger"))
	refused(t, second(project.GetETLJob("trigger")), "EtlJobNotExist")
}

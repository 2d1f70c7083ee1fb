package infra_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dimensions are the dimensions of a metric.
type dimensions []struct {
	Name  string `json:"Name"`
	Value value  `json:"Value"`
}

// String formats the dimensions. It writes the name of an imported value in place of its
// import.
func (ds dimensions) String() string {
	all := make([]string, len(ds))
	for i, d := range ds {
		from := strings.TrimPrefix(string(d.Value), `{"Fn::ImportValue":{"Fn::Sub":"${ServiceStack}-`)
		from = strings.TrimSuffix(from, `"}}`)
		all[i] = d.Name + " " + from
	}
	return strings.Join(all, ", ")
}

// query is one metric of an alarm with several metrics, or the expression over them.
type query struct {
	ID         string `json:"Id"`
	Expression string `json:"Expression"`
	ReturnData *bool  `json:"ReturnData"`
	MetricStat struct {
		Stat   string `json:"Stat"`
		Period int    `json:"Period"`
		Metric struct {
			Namespace  string     `json:"Namespace"`
			MetricName string     `json:"MetricName"`
			Dimensions dimensions `json:"Dimensions"`
		} `json:"Metric"`
	} `json:"MetricStat"`
}

// math formats an expression and its metrics. The result also shows errors that
// CloudWatch would refuse: an alarm has at most ten metrics, and returns the data of one
// expression.
func math(queries []query) string {
	var expressions, of []string
	for _, q := range queries {
		returns := q.ReturnData == nil || *q.ReturnData
		switch m := q.MetricStat; {
		case q.Expression != "" && returns:
			expressions = append(expressions, q.Expression)
		case q.Expression == "" && !returns:
			of = append(of, fmt.Sprintf("%s is %s %s of %s: %s in %d s", q.ID, m.Metric.Namespace, m.Metric.MetricName, m.Metric.Dimensions, m.Stat, m.Period))
		default:
			of = append(of, q.ID+", which must not return data if it is a metric, and must if it is the expression")
		}
	}
	if len(expressions) != 1 || len(of) > 10 {
		return fmt.Sprintf("%d expressions of %d metrics", len(expressions), len(of))
	}
	return expressions[0] + " where " + strings.Join(of, "; ")
}

// ofTables formats the sum of metrics of tables. Each metric is written as id, name and
// dimensions.
func ofTables(all ...string) string {
	of := make([]string, len(all))
	for i, one := range all {
		words := strings.SplitN(one, " ", 3)
		of[i] = fmt.Sprintf("%s is AWS/DynamoDB %s of TableName %s: Sum in 300 s", words[0], words[1], words[2])
	}
	return "SUM(METRICS()) where " + strings.Join(of, "; ")
}

// throttled are the metrics of the requests that DynamoDB throttles.
var throttled = []string{
	"clientsReads ReadThrottleEvents ClientsTable", "clientsWrites WriteThrottleEvents ClientsTable",
	"mailingsReads ReadThrottleEvents MailingsTable", "mailingsWrites WriteThrottleEvents MailingsTable",
	"batchesReads ReadThrottleEvents BatchesTable", "batchesWrites WriteThrottleEvents BatchesTable",
	"operatorWrites WriteThrottleEvents ClientsTable, GlobalSecondaryIndexName operator",
	"tagWrites WriteThrottleEvents ClientsTable, GlobalSecondaryIndexName tag",
	"dueWrites WriteThrottleEvents BatchesTable, GlobalSecondaryIndexName due",
}

// failing returns the metrics of a table's operations that fail because of DynamoDB.
func failing(table string, operations ...string) []string {
	var all []string
	for _, o := range operations {
		all = append(all, strings.ToLower(o[:1])+o[1:]+" SystemErrors "+table+", Operation "+o)
	}
	return all
}

// ownErrors returns the dashboard's expression for the same metrics.
func ownErrors(table string) string {
	return `SUM(SEARCH('{AWS/DynamoDB,Operation,TableName} MetricName="SystemErrors" TableName="${` + table + `Table}"', 'Sum', 60))`
}

// TestAnAlarmOfATablesErrorsWatchesAllThatTheFunctionsMayDoToIt compares the alarms with
// the functions' permissions. TransactWriteItems is always watched, because every write
// is a transaction, or may become a part of one.
func TestAnAlarmOfATablesErrorsWatchesAllThatTheFunctionsMayDoToIt(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{}
	for _, r := range resources[role](t, "template.yaml", "AWS::IAM::Role") {
		for _, s := range r.Policies {
			for _, on := range s.Resource {
				table, _, _ := strings.Cut(strings.Trim(on, "${}"), ".")
				for _, action := range s.Action {
					if operation, ok := strings.CutPrefix(action, "dynamodb:"); ok && operation != "ConditionCheckItem" { // exists in transactions only
						allowed[table] = append(allowed[table], operation)
					}
				}
			}
		}
	}
	watched := map[string][]string{}
	for _, w := range resources[watch](t, "infra/alarms.yaml", "AWS::CloudWatch::Alarm") {
		for _, q := range w.Metrics {
			if m := q.MetricStat.Metric; m.MetricName == "SystemErrors" {
				_, table, _ := strings.Cut(m.Dimensions[:1].String(), " ")
				watched[table] = append(watched[table], string(m.Dimensions[1].Value))
			}
		}
	}
	for _, table := range []string{"ClientsTable", "MailingsTable", "BatchesTable"} {
		want := append([]string{"TransactWriteItems"}, allowed[table]...)
		slices.Sort(want)
		slices.Sort(watched[table])
		if diff := cmp.Diff(slices.Compact(want), watched[table]); diff != "" {
			t.Errorf("%s: what may be done, and is watched (-, +):\n%s", table, diff)
		}
	}
}

// TestAnAlarmOfThrottlesWatchesTheWritesOfEachIndex compares the alarm with the indexes:
// the throttles of an index count at the index.
func TestAnAlarmOfThrottlesWatchesTheWritesOfEachIndex(t *testing.T) {
	t.Parallel()
	type table struct {
		Indexes []struct {
			Name string `json:"IndexName"`
		} `json:"GlobalSecondaryIndexes"`
	}
	line := resources[watch](t, "infra/alarms.yaml", "AWS::CloudWatch::Alarm")["TableThrottles"].line()
	for id, is := range resources[table](t, "template.yaml", "AWS::DynamoDB::Table") {
		for _, index := range is.Indexes {
			if what := "WriteThrottleEvents of TableName " + id + ", GlobalSecondaryIndexName " + index.Name; !strings.Contains(line, what) {
				t.Errorf("no %s", what)
			}
		}
		for _, what := range []string{"ReadThrottleEvents of TableName " + id + ":", "WriteThrottleEvents of TableName " + id + ":"} {
			if !strings.Contains(line, what) {
				t.Errorf("no %s", what)
			}
		}
	}
}

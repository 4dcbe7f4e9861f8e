package infra_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"signpost/internal/function"
)

// TestTwoStacksFitOneAccount holds that whatever has a name of its own takes
// it from the stack's.
func TestTwoStacksFitOneAccount(t *testing.T) {
	names := []string{
		"AlarmName", "DashboardName", "FunctionName", "GroupName", "LogGroupName", "ManagedPolicyName", "Name", "PolicyName", "QueueName", "RoleName", "TableName",
	}
	for _, r := range readTemplate(t).resources {
		for _, name := range names {
			value, named := r.properties[name]
			switch {
			case !named, strings.Contains(fmt.Sprint(value), "AWS::StackName"):
			case r.kind == "AWS::ApiGatewayV2::Authorizer": // a name within its API
			case r.kind == "AWS::Lambda::Permission": // not its own
			default:
				t.Errorf("%s: %s is %v in every stack", r.id, name, value)
			}
		}
	}
}

func TestEnvironmentIsWhatFunctionsRead(t *testing.T) {
	stack := readTemplate(t)
	// What others read: Go, the SDK.
	others := []string{"GOMEMLIMIT", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_EVENTBRIDGE"}
	for _, name := range functions {
		env := maps.Clone(at(stack.globals, "Environment", "Variables").(map[string]any))
		f := stack.named(name + "Function")
		maps.Copy(env, at(f.properties, "Environment", "Variables").(map[string]any))
		publishes := env["EVENT_BUS_NAME"] != nil
		read := map[string]bool{}
		_, err := function.ReadSettings(func(key string) string {
			read[key] = true
			ref, _ := at(env[key], "Ref").(string)
			if d := at(stack.params, ref, "Default"); d != nil {
				return fmt.Sprint(d)
			}
			return ref
		}, publishes)
		if err != nil {
			t.Errorf("%s does not take the defaults of the parameters: %v", f.id, err)
		}
		for key := range env {
			if !read[key] && !slices.Contains(others, key) {
				t.Errorf("%s: nothing reads %s", f.id, key)
			}
		}
		if name != "Register" { // it takes part in everything
			continue
		}
		for key := range read {
			if env[key] == nil && key != "AWS_SAM_LOCAL" {
				t.Errorf("%s: %s is read and not set", f.id, key)
			}
		}
	}
}

func TestLimitsOfFunctions(t *testing.T) {
	stack := readTemplate(t)
	for _, f := range stack.of("AWS::Serverless::Function") {
		name := strings.TrimSuffix(f.id, "Function")
		memory := f.properties["MemorySize"].(int)
		limit := at(f.properties, "Environment", "Variables", "GOMEMLIMIT").(string)
		if want := fmt.Sprintf("%dMiB", (memory*80+50)/100); limit != want {
			t.Errorf("%s: GOMEMLIMIT is %s of %d MB, not 80 %%: %s", f.id, limit, memory, want)
		}
		timeout := f.properties["Timeout"].(int)
		if want := map[string]int{"Register": 28, "Route": 28, "Sweeper": 75}[name]; timeout != want {
			t.Errorf("%s ends after %d s", f.id, timeout)
		}
		logging := at(f.properties, "LoggingConfig")
		if at(logging, "LogFormat") != "JSON" || at(logging, "SystemLogLevel") != "WARN" || at(logging, "LogGroup", "Ref") != name+"Log" {
			t.Errorf("%s logs by %v", f.id, logging)
		}
		if at(stack.named(name+"Log").properties, "RetentionInDays") == nil {
			t.Errorf("%sLog is kept for ever", name)
		}
		if f.properties["CodeUri"] != "functions/"+strings.ToLower(name) {
			t.Errorf("%s is built from %v", f.id, f.properties["CodeUri"])
		}
	}
	if at(stack.globals, "Runtime") != "provided.al2023" || at(stack.globals, "Handler") != "bootstrap" {
		t.Errorf("the functions run on %v", stack.globals)
	}
}

func TestTheTableIsKept(t *testing.T) {
	table := readTemplate(t).named("Table")
	replicas, _ := table.properties["Replicas"].([]any)
	if table.kind != "AWS::DynamoDB::GlobalTable" || len(replicas) != 1 {
		t.Fatalf("the table is %s with %d replicas", table.kind, len(replicas))
	}
	if table.attributes["DeletionPolicy"] != "Retain" || table.attributes["UpdateReplacePolicy"] != "Retain" ||
		at(replicas[0], "DeletionProtectionEnabled") != true ||
		at(replicas[0], "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
		t.Errorf("the table can be lost: %v", table.attributes)
	}
	if table.properties["SSESpecification"] != nil || at(replicas[0], "SSESpecification") != nil {
		t.Error("the table's encryption costs by request")
	}
}

func TestTheScheduleTriesOnceMoreAndNeverPilesUp(t *testing.T) {
	f := readTemplate(t).named("SweeperFunction")
	s := at(f.properties, "Events", "Minute", "Properties")
	for what, is := range map[string]bool{
		"every minute":              at(s, "ScheduleExpression") == "rate(1 minute)",
		"without a name":            at(s, "OmitName") == true,
		"the time that it is for":   at(s, "Input") == `{"time": "<aws.scheduler.scheduled-time>"}`,
		"delivered twice at most":   at(s, "RetryPolicy", "MaximumRetryAttempts") == 1 && at(s, "RetryPolicy", "MaximumEventAgeInSeconds") == 60,
		"run once":                  at(f.properties, "EventInvokeConfig", "MaximumRetryAttempts") == 0,
		"run within a minute":       at(f.properties, "EventInvokeConfig", "MaximumEventAgeInSeconds") == 60,
		"kept if not delivered":     at(s, "DeadLetterConfig", "Arn", "Fn::GetAtt") == "DeadLetters.Arn",
		"kept if its run failed":    at(f.properties, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt") == "DeadLetters.Arn",
		"delivered by its own role": at(s, "RoleArn", "Fn::GetAtt") == "SchedulerRole.Arn",
	} {
		if !is {
			t.Errorf("a tick is not %s", what)
		}
	}
}

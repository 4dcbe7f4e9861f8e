package infra_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// functions are the functions, by the folder of their program.
var functions = map[string]string{"register": "Register", "route": "Route", "sweeper": "Sweeper"}

// actions are the IAM actions that DynamoDB asks for an operation. There is
// none for a transaction: it takes those of what it is made of.
var actions = map[string]string{
	"BatchGetItem": "dynamodb:BatchGetItem", "BatchWriteItem": "dynamodb:BatchWriteItem", "DeleteItem": "dynamodb:DeleteItem",
	"GetItem": "dynamodb:GetItem", "PutItem": "dynamodb:PutItem", "Query": "dynamodb:Query", "UpdateItem": "dynamodb:UpdateItem",
}

// allowed returns what a role may do, "ACTION RESOURCE" each, sorted.
func allowed(t *testing.T, r resource) []string {
	t.Helper()
	var all []string
	policies, _ := r.properties["Policies"].([]any)
	for _, p := range policies {
		for _, s := range at(p, "PolicyDocument", "Statement").([]any) {
			if at(s, "Effect") != "Allow" || at(s, "NotAction") != nil || at(s, "NotResource") != nil {
				t.Errorf("%s: %v is not a plain list of what is allowed", r.id, s)
			}
			for _, action := range list(at(s, "Action")) {
				all = append(all, fmt.Sprint(action, " ", at(s, "Resource", "Fn::GetAtt")))
			}
		}
	}
	if r.properties["ManagedPolicyArns"] != nil {
		t.Errorf("%s has policies that do not stand in the template", r.id)
	}
	slices.Sort(all)
	return all
}

// TestRolesAllowWhatFunctionsDo compares each role with the operations that
// the function's code makes (operations.json, which e2e/dynamo holds to what
// is really called), and with nothing else.
func TestRolesAllowWhatFunctionsDo(t *testing.T) {
	b, err := os.ReadFile("operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var operations map[string][]string
	if err := json.Unmarshal(b, &operations); err != nil {
		t.Fatal(err)
	}
	stack := readTemplate(t)
	for folder, name := range functions {
		want := []string{"logs:CreateLogStream " + name + "Log.Arn", "logs:PutLogEvents " + name + "Log.Arn"}
		if len(operations[folder]) == 0 {
			t.Errorf("operations.json has nothing for %s", folder)
		}
		for _, o := range operations[folder] {
			if actions[o] == "" {
				t.Fatalf("%s calls %s: which action is that?", folder, o)
			}
			want = append(want, actions[o]+" Table.Arn")
		}
		program, err := os.ReadFile("../functions/" + folder + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(program), "function.Start(true)") { // it publishes
			want = append(want, "events:PutEvents EventBus.Arn")
		}
		function := stack.named(name + "Function")
		if at(function.properties, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Type") == "SQS" {
			want = append(want, "sqs:SendMessage DeadLetters.Arn")
		}
		slices.Sort(want)
		role := stack.named(name + "Role")
		if got := allowed(t, role); !slices.Equal(got, want) {
			t.Errorf("%s allows %q, the function needs %q", role.id, got, want)
		}
		if at(function.properties, "Role", "Fn::GetAtt") != role.id+".Arn" {
			t.Errorf("%s has another role", function.id)
		}
	}
}

func TestTheSchedulerMayDoNothingElse(t *testing.T) {
	stack := readTemplate(t)
	want := []string{"lambda:InvokeFunction SweeperFunction.Arn", "sqs:SendMessage DeadLetters.Arn"}
	if got := allowed(t, stack.named("SchedulerRole")); !slices.Equal(got, want) {
		t.Errorf("SchedulerRole allows %q", got)
	}
	if n := len(stack.of("AWS::IAM::Role")); n != len(functions)+1 {
		t.Errorf("there are %d roles, some of them are not tested", n)
	}
}

package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// plan is what a change set would do, one line for each resource. Losses are the lines
// that would remove a table or a queue, or its content.
type plan struct {
	Lines  []string
	Losses []string
}

// planOf reads the changes of a change set. It counts a possible loss as a loss: a
// replacement that depends on values that are not known yet, and a change that
// CloudFormation does not describe.
func planOf(changes []types.Change) plan {
	var p plan
	for _, c := range changes {
		r := c.ResourceChange
		if r == nil {
			continue
		}
		line := fmt.Sprintf("%s %s (%s)", verb(r), aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType))
		p.Lines = append(p.Lines, line)
		if holdsData(aws.ToString(r.ResourceType)) && loses(r) {
			p.Losses = append(p.Losses, fmt.Sprintf("%s, now %s", line, cmp.Or(aws.ToString(r.PhysicalResourceId), "without a name")))
		}
	}
	slices.Sort(p.Lines)
	slices.Sort(p.Losses)
	return p
}

func holdsData(kind string) bool {
	return kind == "AWS::DynamoDB::Table" || kind == "AWS::DynamoDB::GlobalTable" || kind == "AWS::SQS::Queue"
}

func loses(r *types.ResourceChange) bool {
	switch r.Action {
	case types.ChangeActionAdd, types.ChangeActionImport:
		return false
	case types.ChangeActionModify:
		return r.Replacement == types.ReplacementTrue || r.Replacement == types.ReplacementConditional
	default: // remove, or unknown until it is done
		return true
	}
}

func verb(r *types.ResourceChange) string {
	switch r.Action {
	case types.ChangeActionAdd:
		return "create"
	case types.ChangeActionImport:
		return "import"
	case types.ChangeActionModify:
		switch r.Replacement {
		case types.ReplacementTrue:
			return "replace"
		case types.ReplacementConditional:
			return "change, and maybe replace,"
		default:
			return "change"
		}
	case types.ChangeActionRemove:
		return "remove"
	default:
		return "change in a way that is not known yet"
	}
}

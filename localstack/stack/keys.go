package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/keys"
	"postrider/internal/mailing"
)

// The keys of a stack on this machine. Nobody else reaches it, so they need not
// be secret.
const (
	AdminKey  = "local-admin"
	ViewerKey = "local-viewer"
)

// keysParameter is the template's parameter that names the SSM parameter with
// the keys' hashes.
const keysParameter = "KeysParameter"

// putKeys writes the local keys where functions look for them, as somebody does
// once on AWS. What is there stays: a person may have changed it. A template
// without keys has no parameter for it.
func putKeys(ctx context.Context, cfg aws.Config, parameter string) error {
	if parameter == "" {
		return nil
	}
	lines := keys.Line(mailing.Caller{Name: AdminKey, Role: mailing.Admin}, AdminKey) + "\n" +
		keys.Line(mailing.Caller{Name: ViewerKey, Role: mailing.Viewer}, ViewerKey)
	_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{
		Name: &parameter, Value: &lines, Type: types.ParameterTypeString,
	})
	var there *types.ParameterAlreadyExists
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("write the local keys to the SSM parameter %s: %w", parameter, err)
	}
	return nil
}

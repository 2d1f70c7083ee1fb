package api

import "github.com/danielgtaylor/huma/v2/validation"

// speak gives huma the domain's words for broken schemas, so that a rule has one
// text, no matter which layer finds it broken. Messages of huma that are not
// replaced here are not passed on, see [fieldError].
func speak() {
	validation.MsgExpectedString = "must be a string"
	validation.MsgExpectedInteger = notAnInteger
	validation.MsgExpectedNumber = "must be a number"
	validation.MsgExpectedBoolean = "must be true or false"
	validation.MsgExpectedArray = "must be a list"
	validation.MsgExpectedObject = "must be an object"
	validation.MsgExpectedOneOf = "must be one of %s"
	validation.MsgExpectedBePattern = "must be %s"
	validation.MsgExpectedRFC3339DateTime = "must be " + aTime
	validation.MsgExpectedMinLength = "must be %d or more characters"
	validation.MsgExpectedMaxLength = "must be at most %d characters"
	validation.MsgExpectedMinItems = "must be %d or more entries"
	validation.MsgExpectedMaxItems = "must be at most %d entries"
	validation.MsgExpectedMinimumNumber = "must be %v or more"
	validation.MsgExpectedMaximumNumber = "must be at most %v"
}

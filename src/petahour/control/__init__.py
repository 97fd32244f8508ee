"""Control: the use cases, and the step that makes what runs agree with what is stored. The only writer."""

/** Words of the element, in English unless the page gives others. */

/** Words that the element shows or that a screen reader speaks. */
export interface HearthChatTexts {
  /** Name of the list of messages. */
  conversation: string;
  /** Name of the text field. */
  message: string;
  placeholder: string;
  send: string;
  stop: string;
  load: string;
  retry: string;
  loading: string;
  answering: string;
  thoughts: string;
  /** Spoken before a message of the user. */
  you: string;
  /** Spoken before a message of the model. */
  model: string;
}

export const ENGLISH: HearthChatTexts = {
  conversation: "Conversation",
  message: "Message",
  placeholder: "Write a message",
  send: "Send",
  stop: "Stop",
  load: "Load the model",
  retry: "Try again",
  loading: "Loading",
  answering: "Answering",
  thoughts: "Thoughts",
  you: "You said:",
  model: "The model said:",
};

/** The pictures of a message that was sent. */
import type { JSX } from "preact";
import type { FilePart } from "../store/parts.js";
import { p } from "../text/pictures.js";
import { Thumbnail } from "./Thumbnail.js";
import { useFile } from "./use-picture.js";
import "../styles/pictures.css";

export function MessagePictures({
  conversation,
  pictures,
  onRemove,
}: {
  conversation: string;
  pictures: readonly FilePart[];
  /** Given while the message is edited. */
  onRemove?: (picture: FilePart) => void;
}): JSX.Element {
  return (
    <ul class="pictures" aria-label={p().pictures}>
      {pictures.map((part, index) => (
        <li key={part.file}>
          <SentPicture
            conversation={conversation}
            part={part}
            index={index}
            {...(onRemove === undefined
              ? {}
              : {
                  onRemove: () => {
                    onRemove(part);
                  },
                })}
          />
        </li>
      ))}
    </ul>
  );
}

function SentPicture({
  conversation,
  part,
  index,
  ...others
}: {
  conversation: string;
  part: FilePart;
  index: number;
  onRemove?: () => void;
}): JSX.Element {
  const blob = useFile(conversation, part.file);
  return <Thumbnail shown={{ conversation, part, index }} blob={blob} {...others} />;
}

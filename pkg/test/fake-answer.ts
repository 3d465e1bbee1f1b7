/** The fake core's default answer, which contains everything that the page formats. */
export const ANSWER = `A hearth is the **floor of a fireplace**, and by extension the heart of a home.

Three things it gave a house:

1. *Warmth* in winter
2. A place to cook, often with an iron pot on a chain
3. Light after dark 🔥

\`\`\`rust
fn main() {
    println!("The fire is lit.");
}
\`\`\`

| Fuel | Heat |
| ---- | ---- |
| Oak  | long |
| Pine | fast |

Would you like to know how a chimney draws?`;
